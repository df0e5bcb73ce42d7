"""Data sources by kind, such as ``synthetic:300``, ``folder:PATH`` and ``celebamask:PATH``, and those of plug-ins.

Importing this module does not load torch.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from foundation.errors import UserError
from foundation.registry import Registry

if TYPE_CHECKING:
    from segmentation.data.source import DataOptions, DataSource

_logger = logging.getLogger(__name__)

SOURCES: Registry[DataSource] = Registry(
    "data source",
    "latseg.data",
    "segmentation.data.source:DataSource",
    {
        "synthetic": "segmentation.data.synthetic.source:SyntheticSource",
        "folder": "segmentation.data.folder:FolderSource",
        "celebamask": "segmentation.data.celebamask:CelebAMaskSource",
        "eg1800": "segmentation.data.eg1800:Eg1800Source",
        "helen": "segmentation.data.helen:HelenSource",
        "voc": "segmentation.data.voc:VocSource",
        "coco": "segmentation.data.coco:CocoSource",
        "supervisely": "segmentation.data.supervisely:SuperviselySource",
    },
)


def open_source(
    text: str,
    *,
    seed: int = 0,
    count: int | None = None,
    size: tuple[int, int] = (256, 256),
    resize_masks: bool = False,
    hold_out_test: bool = True,
) -> DataSource:
    """The source that ``text`` (``KIND`` or ``KIND:TEXT``) names; the options are those of ``DataOptions``.

    Options of a kind follow a question mark, joined by ``&``: ``folder:PATH?resize-masks``, ``celebamask:PATH?person``.

    Raises:
        UserError: no such kind, the source cannot be opened, or a class occurs in none of the masks of a part.
    """
    from segmentation.data.class_presence import require_every_class
    from segmentation.data.source import DataOptions

    source = open_unchecked(text, DataOptions(seed, count, size, resize_masks, hold_out_test))
    _logger.info(
        "data %s: %d training, %d validation, %d test pairs at %d x %d; classes %s",
        source.name, len(source.train), len(source.validation), len(source.test), *size, ", ".join(source.classes),
    )  # fmt: skip
    for note in source.notes:
        _logger.info("data %s: %s", source.name, note)
    require_every_class(source)
    return source


def open_unchecked(text: str, options: DataOptions) -> DataSource:
    """As ``open_source``, but a class may occur in no mask of a part.

    Raises:
        UserError: no such kind, or the source cannot be opened.
    """
    kind, _, rest = text.partition(":")
    if kind not in SOURCES.names:
        raise UserError(
            "data source",
            seen=repr(text),
            expected=f"one of {', '.join(SOURCES.names)}",
            remedy="other data sets: lay them out as images/ and masks/ and read them with folder:PATH",
        )
    return SOURCES.get(kind).open(rest, options)
