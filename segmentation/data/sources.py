"""Opens a source of data by its text: ``synthetic``, ``synthetic:300``, ``folder:PATH``, ``celebamask:PATH``."""

from __future__ import annotations

from pathlib import Path

from foundation.errors import UserError
from segmentation.data.celebamask import celebamask_source
from segmentation.data.folder import folder_source
from segmentation.data.source import DataSource
from segmentation.data.synthetic.source import DEFAULT_COUNT, synthetic_source

FORMS = "synthetic, synthetic:COUNT, folder:PATH or celebamask:PATH"
_NOT_READ = ("eg1800", "helen")
_OPTIONS = {"folder": {"resize-masks"}, "celebamask": {"resize-masks", "person"}}


def open_source(
    text: str,
    *,
    seed: int = 0,
    count: int | None = None,
    size: tuple[int, int] = (256, 256),
    resize_masks: bool = False,
) -> DataSource:
    """The source that ``text`` names; pictures and masks come at ``size`` (height, width).

    Options follow a question mark, joined by ``&``: ``folder:PATH?resize-masks``, ``celebamask:PATH?person``.
    ``count`` bounds the number of pairs where the text does not.

    Raises:
        UserError: not such a text, or the source cannot be opened.
    """
    kind, _, rest = text.partition(":")
    if kind == "synthetic":
        return synthetic_source(_count(rest, count), seed=seed, size=size)
    if kind in _NOT_READ:
        raise UserError(
            "data source", seen=text, expected=FORMS,
            remedy=f"{kind} has no reader yet: lay it out as images/ and masks/ and read it with folder:PATH",
        )  # fmt: skip
    if kind not in _OPTIONS or not rest:
        raise UserError("data source", seen=repr(text), expected=FORMS, remedy="write it so")
    path, options = _options(kind, rest)
    resize_masks = resize_masks or "resize-masks" in options
    if kind == "folder":
        return folder_source(path, seed=seed, count=count, size=size, resize_masks=resize_masks)
    return celebamask_source(path, count=count, size=size, person_only="person" in options, resize_masks=resize_masks)


def _count(text: str, count: int | None) -> int:
    if not text:
        return DEFAULT_COUNT if count is None else count
    if not text.isdecimal():
        raise UserError(
            "number of synthetic portraits", seen=repr(text), expected="a whole number", remedy="write synthetic:300"
        )
    return int(text)


def _options(kind: str, rest: str) -> tuple[Path, set[str]]:
    # A path may hold a question mark itself.
    if Path(rest).expanduser().exists():
        return Path(rest).expanduser(), set()
    path, _, options = rest.partition("?")
    given = set(options.split("&")) - {""}
    unknown = sorted(given - _OPTIONS[kind])
    if unknown:
        raise UserError(
            f"option of {kind}:PATH", seen=unknown[0], expected=" or ".join(sorted(_OPTIONS[kind])), remedy="correct it"
        )
    return Path(path).expanduser(), given
