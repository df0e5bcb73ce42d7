"""The report's section on pictures that ``latseg segment`` cut out."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from foundation.errors import UserError
from foundation.picture import PictureError, open_picture
from latseg.report.page import Section, image
from latseg.report.photographs import is_synthetic

_MOST = 12
_HEIGHT = 300
_OVERLAY, _CUTOUT = "_overlay.png", "_cutout.png"


def segmented_section(folder: Path, data: str) -> Section:
    """Overlay and cut-out of each picture, the first by name.

    Args:
        folder: that ``latseg segment`` wrote.
        data: on which the net was trained.

    Raises:
        UserError: there are none, or one cannot be read.
    """
    names = sorted(path.name.removesuffix(_OVERLAY) for path in folder.glob(f"*{_OVERLAY}"))
    if not names:
        raise UserError(
            "--segmented", seen=f"no NAME{_OVERLAY} in {folder}", expected="a folder that `latseg segment` wrote",
            remedy="run `latseg segment BUNDLE PICTURE... --output FOLDER` first",
        )  # fmt: skip
    lead = (
        "Each picture with its mask laid over it, and its cut-out: the probability of the foreground is the opacity. "
        f"Squares show where the cut-out is transparent. The net was trained on {data}"
        f"{', painted pictures alone: real photographs are new to it' if is_synthetic(data) else ''}."
    )
    if len(names) > _MOST:
        lead += f" These are the first {_MOST} of {len(names)} pictures."
    pairs = "".join(
        '<div class="pair">'
        + image(_small(folder / f"{name}{_OVERLAY}"), name)
        + image(_small(folder / f"{name}{_CUTOUT}"), f"{name}, cut out", style="transparent")
        + "</div>"
        for name in names[:_MOST]
    )
    return Section("Pictures that the exported net has cut out", lead, f'<div class="examples">{pairs}</div>')


def _small(path: Path) -> bytes:
    try:
        with open_picture(path) as picture:
            picture.load()
            shown = picture.convert("RGBA")
    except PictureError as error:
        raise UserError(
            "--segmented", seen=str(error), expected="the picture that `latseg segment` wrote",
            remedy="run `latseg segment` again",
        ) from error  # fmt: skip
    width = max(1, round(shown.width * _HEIGHT / shown.height))
    buffer = io.BytesIO()
    shown.resize((width, _HEIGHT), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()
