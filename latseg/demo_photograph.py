"""The photograph of a real person that ``latseg demo`` cuts out; it comes with scikit-image, which is not required."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from foundation.atomic_file import write_file
from foundation.regular_file import PICTURE_BYTES, read_regular

NAME = "astronaut.png"
"""Eileen Collins, photographed by NASA; in the public domain (scikit-image, ``skimage.data.astronaut``)."""
NO_PHOTOGRAPH = (
    "no photograph of a real person is cut out: `pip install scikit-image` brings one, and the demo takes it"
)


def demo_photograph(folder: Path) -> bool:
    """Copies the photograph into ``folder``; False where it is not installed. Nothing of scikit-image is run."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        return False
    path = Path(found.origin).parent / "data" / NAME
    if not path.is_file():
        return False
    write_file(folder / NAME, read_regular(path, limit=PICTURE_BYTES))
    return True
