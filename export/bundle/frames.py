"""Frames of a video: a folder of pictures in the order of their names, an animated picture, or a video file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from foundation.errors import UserError
from foundation.picture import Picture, PictureError, as_picture, open_picture, read_picture

ANIMATED = (".gif", ".webp", ".png", ".apng", ".avif")
"""Endings of files that Pillow reads frame by frame."""

_NOT_DECODED = ("EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5")
"""Formats that Pillow names but leaves to other programs."""

NamedFrame = tuple[str, Picture]


def read_frames(path: Path) -> Iterator[NamedFrame]:
    """Each frame with its name: that of its file, or the video's name and the frame's number.

    Numbers in names count as numbers: ``frame2`` comes before ``frame10``. Video files need OpenCV.

    Raises:
        UserError: nothing that can be read, a broken frame, or no OpenCV.
    """
    try:
        if path.is_dir():
            yield from ((file.stem, read_picture(file)) for file in _pictures_in(path))
            return
        pictures = _animated(path) if path.suffix.lower() in ANIMATED else _decoded(path)
        for number, picture in enumerate(pictures, start=1):
            yield f"{path.stem}_{number:06d}", picture
    except PictureError as error:
        raise UserError(
            "frame", seen=f"{error.path}: {error.reason}", expected="a picture file", remedy="check the file"
        ) from error


def _pictures_in(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if not file.name.startswith(".") and _is_frame(file)]
    if not files:
        raise UserError(
            "folder of frames", seen=f"{folder} without a picture", expected="a picture for each frame",
            remedy="name the folder that holds them",
        )  # fmt: skip
    return sorted(files, key=_natural)


def _is_frame(file: Path) -> bool:
    """Of a format that Pillow reads, by the ending; Pillow only writes some others, such as PDF."""
    file_format = Image.registered_extensions().get(file.suffix.lower())
    return file_format in Image.OPEN and file_format not in _NOT_DECODED and not file.is_dir()


def _natural(file: Path) -> list[tuple[int, str]]:
    """Text and numbers in turn."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _animated(path: Path) -> Iterator[Picture]:
    with open_picture(path) as image:
        for frame in ImageSequence.Iterator(image):
            yield as_picture(frame.copy())


def _decoded(path: Path) -> Iterator[Picture]:
    if not path.is_file():
        raise UserError("video", seen=f"{path} (no such file)", expected="a file or a folder", remedy="check the name")
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            "video", seen=f"{path}, and OpenCV is not installed",
            expected=f"a folder of pictures, or one of {', '.join(ANIMATED)}",
            remedy='run pip install "latseg[video]" for other files',
        ) from error  # fmt: skip
    capture, frames = cv2.VideoCapture(str(path)), 0
    try:
        while (read := capture.read())[0]:
            frames += 1
            yield Picture(np.ascontiguousarray(read[1][..., ::-1]))  # OpenCV's order is blue, green, red
    finally:
        capture.release()
    if not frames:
        raise UserError(
            "video", seen=f"{path} without a frame", expected="a video that OpenCV decodes",
            remedy="check the file, or name a folder of frames",
        )  # fmt: skip
