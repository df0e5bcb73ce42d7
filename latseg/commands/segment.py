"""``latseg segment``: runs a bundle on photographs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from foundation.errors import UserError
from foundation.progress import Progress
from latseg.bundle import Bundle
from latseg.console import Console, table
from latseg.options import IgnoredSeedOption
from latseg.picture_paths import picture_paths
from latseg.streams import harmless


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
    file_format: Annotated[
        str, typer.Option("--format", "-f", help="File of the bundle to run, on its device.")
    ] = "onnx",
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Write a mask, a cut-out and an overlay for each picture; exit code 2 if one cannot be read."""
    console: Console = context.obj
    outputs = []
    failed: list[dict[str, str]] = []

    def note(image: Path, error: UserError) -> None:
        sys.stderr.write(f"latseg: {harmless(str(error))}\n")
        failed.append({"image": str(image), "error": str(error)})

    named = picture_paths(images, output)
    for left_out in named.notes:
        console.remark(left_out)
    masks = Bundle(bundle).write_masks(named.files, output, policy=policy, file_format=file_format, on_error=note)
    with console.api.progress("segment") as report:
        for number, written in enumerate(masks, start=1):
            outputs.append(written)
            report(Progress("", number, len(named.files), written.image.name))
    rows = [
        {
            "image": str(written.image),
            "mask": str(written.mask),
            "cutout": str(written.cutout),
            "overlay": str(written.overlay),
            "height": written.height,
            "width": written.width,
            "foreground_percent": round(100 * written.foreground_share, 2),
        }
        for written in outputs
    ]
    columns = ("image", "mask", "cutout", "overlay", "foreground_percent")
    console.emit(
        {"outputs": rows, "failed_images": failed},
        lambda: table("", columns, [[row[column] for column in columns] for row in rows]),
    )
    if failed:
        raise typer.Exit(UserError.exit_code)
