"""The report's sections on the test part: pictures, confusion of classes, and calibration of the opacity."""

from __future__ import annotations

from collections.abc import Sequence

from devices.model_file import sha256_of
from latseg.report.confusion import confusion_table
from latseg.report.figures import reliability_figure
from latseg.report.kept_picture import kept_picture
from latseg.report.page import Section, figure, image
from latseg.report.photographs import LEFT_OUT, may_show
from search.run_context import RunContext
from search.trial import Trial
from search.winners.held_out_record import HeldOutRecord, read_held_out_record
from segmentation.reliability import ReliabilityBin, expected_calibration_error

_TITLE = "On the test part"
_SURE = 0.1
"""A probability that is nearer than this to 0 or to 1 is sure."""


def held_out_sections(context: RunContext, winner: Trial, *, photographs: bool) -> list[Section]:
    """What ``latseg evaluate`` kept of a winner; where it kept nothing, how to make it do so.

    Args:
        context: the run.
        winner: of it; its full training exists.
        photographs: False shows masks alone, unless the data are synthetic.

    Raises:
        UserError: a file that ``evaluate`` wrote is damaged.
    """
    record = read_held_out_record(context.folder.held_out(winner.id))
    command = f"`latseg evaluate {context.config.run}`"
    if record is None:
        return [Section(_TITLE, f"The winner has no score there yet: {command} scores it.", "")]
    if record.weights_sha256 != sha256_of(context.folder.training(winner.id)):
        return [Section(_TITLE, f"The winner was trained again after it was scored: {command} scores it anew.", "")]
    sections = [_pictures(context, winner, record, photographs=photographs), _confusion(record)]
    return sections + ([_calibration(record.calibration)] if record.calibration else [])


def _pictures(context: RunContext, winner: Trial, record: HeldOutRecord, *, photographs: bool) -> Section:
    shown = may_show(context.config, photographs=photographs)
    quality = record.quality
    outline = "" if record.boundary_f1 is None else f", boundary F-score {100 * record.boundary_f1:.1f} %"
    height, width = record.size
    lead = (
        f"Winner {winner.id} on {record.pictures} pictures that no training and no search reads, at {height} x {width} "
        f"(height x width): mean IoU {100 * quality.mean_iou:.1f} %{outline}. Below are its best, its median and its "
        f"worst pictures.{'' if shown else f' {LEFT_OUT}.'}"
    )
    path = context.folder.held_out_sheet(winner.id, photographs=shown)
    sheet = kept_picture(path, "pictures of the test part", "evaluate", remedy="run `latseg evaluate` again")
    caption = ", ".join(f"{one.rank} {100 * one.iou:.1f} %" for one in record.shown)
    return Section(_TITLE, lead, image(sheet, f"Mean IoU of each picture: {caption}"))


def _confusion(record: HeldOutRecord) -> Section:
    lead = (
        "Of the pixels of each true class (row), the share in percent that the net gives to each class (column). A dot "
        "is a share above zero that rounds to zero."
    )
    body = confusion_table(record.classes, record.confusion, record.quality.iou_per_class)
    return Section("Confusion of classes on the test part", lead, body)


def _calibration(bins: Sequence[ReliabilityBin]) -> Section:
    total = sum(one.pixels for one in bins)
    unsure = [one for one in bins if _SURE < one.mean_probability < 1 - _SURE]
    lead = (
        "A cut-out has the probability of the foreground as its opacity. The line shows what share of the pixels of an "
        "opacity is foreground; on the diagonal the opacity is right. The difference is "
        f"{100 * expected_calibration_error(bins):.2f} percentage points on the mean of all pixels "
        "(expected calibration error, Naeini et al., AAAI 2015)"
    )
    if unsure:
        share = sum(one.pixels for one in unsure) / total
        lead += (
            f", and {100 * expected_calibration_error(unsure):.1f} for the {100 * share:.1f} % of the pixels whose "
            f"opacity is between {_SURE:g} and {1 - _SURE:g}, most of them at edges"
        )
    return Section("Calibration of the opacity on the test part", f"{lead}.", figure(reliability_figure(bins)))
