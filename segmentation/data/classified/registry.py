"""Sources of classified pictures by kind, ``images:PATH`` and ``svhn:PATH``, and those of plug-ins.

Importing this module does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from segmentation.data.source import DataSource

CLASSIFIED: Registry[DataSource] = Registry(
    "source of classified pictures",
    "latseg.classified",
    "segmentation.data.source:DataSource",
    {
        "images": "segmentation.data.classified.class_folders:ClassFolders",
        "svhn": "segmentation.data.classified.svhn:SvhnSource",
    },
)


def is_classified(text: str) -> bool:
    """Whether ``KIND:TEXT`` names classified pictures."""
    return text.partition(":")[0] in CLASSIFIED.names


def open_classified(
    text: str,
    *,
    seed: int = 0,
    count: int | None = None,
    size: tuple[int, int] = (256, 256),
    resize_masks: bool = False,
    hold_out_test: bool = True,
) -> DataSource:
    """The source that ``text`` names; the options are those of ``segmentation.data.source.DataOptions``.

    Raises:
        UserError: no such kind, or the source cannot be opened.
    """
    from segmentation.data.source import DataOptions

    kind, _, rest = text.partition(":")
    return CLASSIFIED.get(kind).open(rest, DataOptions(seed, count, size, resize_masks, hold_out_test))
