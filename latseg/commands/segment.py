"""``latseg segment``: runs a bundle on photographs, or on the frames of videos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundation.errors import UserError
from foundation.progress import Progress
from latseg.bundle import Bundle
from latseg.console import Console, plain, table
from latseg.options import IgnoredSeedOption
from latseg.picture_paths import picture_paths
from latseg.streams import harmless

if TYPE_CHECKING:
    from export.bundle.segment import SegmentOutput
    from export.bundle.video import VideoOutput


def segment(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder that `latseg export` wrote.")],
    images: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE...|FOLDER", help="Pictures of any size and shape; of a folder all in it."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for masks, cut-outs and overlays.")] = Path(
        "segmented"
    ),
    policy: Annotated[
        str | None, typer.Option(help="letterbox keeps the shape, resize squashes; default: the bundle's.")
    ] = None,
    edges: Annotated[
        str, typer.Option(help="guided follows the edges of the photograph, bilinear does not.")
    ] = "guided",
    file_format: Annotated[
        str, typer.Option("--format", "-f", help="File of the bundle to run, on its device.")
    ] = "onnx",
    video: Annotated[
        bool, typer.Option("--video", help="Each is a folder of frames, a GIF, WebP or PNG, or a video file.")
    ] = False,
    smoothing: Annotated[
        bool, typer.Option("--smoothing/--no-smoothing", help="With --video: average masks where the picture stays.")
    ] = True,
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Write a mask, a cut-out and an overlay for each picture; exit code 2 if one cannot be read.

    With --video for each frame; how much the masks flicker is measured with and without smoothing.
    """
    console: Console = context.obj
    outputs: list[SegmentOutput] = []
    videos: list[VideoOutput] = []
    failed: list[dict[str, str]] = []

    def note(image: Path, error: UserError) -> None:
        sys.stderr.write(f"latseg: {harmless(str(error))}\n")
        failed.append({"image": str(image), "error": str(error)})

    named = () if video else _named(images, output, console)
    made = Bundle(bundle)
    how: dict[str, Any] = {"policy": policy, "file_format": file_format, "edges": edges}
    with console.api.progress("segment") as report:

        def wrote(written: SegmentOutput) -> None:
            outputs.append(written)
            total = 0 if video else len(named)
            report(Progress("", len(outputs), total, written.image.name))

        if video:
            videos += made.segment_videos(images, output, smoothing=smoothing, on_frame=wrote, on_error=note, **how)
        else:
            for written in made.write_masks(named, output, on_error=note, **how):
                wrote(written)
    _print(console, outputs, videos, failed)
    if failed:
        raise typer.Exit(UserError.exit_code)


def _named(images: list[Path], output: Path, console: Console) -> tuple[Path, ...]:
    found = picture_paths(images, output)
    for left_out in found.notes:
        console.remark(left_out)
    return found.files


def _print(
    console: Console, outputs: list[SegmentOutput], videos: list[VideoOutput], failed: list[dict[str, str]]
) -> None:
    rows = [_row(written) for written in outputs]
    columns = ("image", "mask", "cutout", "overlay", "foreground_percent")
    console.emit(
        {"outputs": rows, "failed_images": failed, "videos": [_video_row(one) for one in videos]},
        lambda: [table("", columns, [[row[column] for column in columns] for row in rows]), *map(_flicker, videos)],
    )


def _row(written: SegmentOutput) -> dict[str, Any]:
    return {
        "image": str(written.image),
        "mask": str(written.mask),
        "cutout": str(written.cutout),
        "overlay": str(written.overlay),
        "height": written.height,
        "width": written.width,
        "foreground_percent": round(100 * written.foreground_share, 2),
    }


def _video_row(one: VideoOutput) -> dict[str, Any]:
    return {
        "video": str(one.video),
        "frames": len(one.frames),
        "flicker_percent": one.flicker_percent,
        "flicker_without_smoothing_percent": one.raw_flicker_percent,
    }


def _flicker(one: VideoOutput) -> str:
    name = plain(str(one.video))
    if one.flicker_percent is None or one.raw_flicker_percent is None:
        return f"{name}: no pixel stays from frame to frame, so there is no flicker to measure."
    return (
        f"{name}: where the picture stays, masks change by {one.flicker_percent:.3f} % from frame to frame "
        f"({one.raw_flicker_percent:.3f} % without smoothing)."
    )
