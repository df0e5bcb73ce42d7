"""Runs a bundle on the frames of a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.bundle.frames import read_frames
from export.bundle.segment import Segmenter, SegmentOutput
from export.bundle.smoothing import Smoother
from foundation.errors import UserError


@dataclass(frozen=True, slots=True)
class VideoOutput:
    """What was written for a video, and how much its masks flicker; None where no pixel of it stayed."""

    video: Path
    frames: tuple[SegmentOutput, ...]
    flicker_percent: float | None
    """Of what was written (``Flicker``)."""
    raw_flicker_percent: float | None
    """Of the network's own masks, without smoothing."""


def segment_video(
    segmenter: Segmenter,
    video: Path,
    out_dir: Path,
    *,
    smoothing: bool = True,
    on_frame: Callable[[SegmentOutput], None] | None = None,
) -> VideoOutput:
    """Writes masks, cut-outs and overlays of each frame, as ``read_frames`` names it.

    Args:
        segmenter: the bundle.
        video: a folder of pictures, an animated picture or a video file.
        out_dir: for the results.
        smoothing: average over time where the picture stays.
        on_frame: called after each frame.

    Raises:
        UserError: ``out_dir`` is the folder of the frames, or as ``read_frames`` and ``Segmenter.segment_file``.
    """
    if video.resolve() == out_dir.resolve():
        raise UserError(
            "output folder", seen=f"{out_dir}, the folder of the frames", expected="another folder",
            remedy="write for example --output segmented",
        )  # fmt: skip
    smoother, written = Smoother(enabled=smoothing), []
    for name, picture in read_frames(video):
        result = segmenter.segment_frame(picture, smoother)
        written.append(segmenter.write(video / name, picture, result, out_dir, stem=name))
        if on_frame is not None:
            on_frame(written[-1])
    return VideoOutput(video, tuple(written), smoother.after.percent, smoother.before.percent)
