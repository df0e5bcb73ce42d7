"""The report's section on the data: how they were read, and a few labelled examples."""

from __future__ import annotations

from latseg.report.kept_picture import kept_picture
from latseg.report.page import Section, image
from latseg.report.photographs import LEFT_OUT, may_show
from search.run_context import RunContext
from search.shared_run import shared_run

_SHARES = "training pairs with the shares of their pixels by class"


def data_section(context: RunContext, *, photographs: bool) -> list[Section]:
    """The section; none for runs from before there was one, or of tasks without pictures.

    Args:
        context: the run.
        photographs: False shows the labels alone, unless the data are synthetic.

    Raises:
        UserError: the picture cannot be read.
    """
    with_pictures = may_show(context.config, photographs=photographs)
    path = context.folder.first_look(photographs=with_pictures)
    notes = shared_run(context.config).data_notes
    if not path.exists() and not notes:
        return []
    lead = ". ".join(note[:1].upper() + note[1:] for note in notes)
    if path.exists() and not with_pictures:
        lead += f"{'. ' if lead else ''}{LEFT_OUT}"
    caption = f"{'Photographs and masks' if with_pictures else 'Masks'} of {_SHARES}"
    body = image(kept_picture(path, "first look", "search"), caption) if path.exists() else ""
    return [Section("First look at the data", lead + "." if lead else "", body)]
