"""``latseg data check``: what a data source holds, and whether it can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from latseg.console import Console, plain, table
from latseg.option_groups import one_of
from latseg.options import SeedOption
from latseg.units import parse_size
from segmentation.data.registry import SOURCES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from segmentation.data.check import DataCheck, PartCheck

_SHOWN = 40
"""Problems that are printed; ``--json`` has all."""


def check(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"{one_of(SOURCES.names)}, as in folder:PATH.")],
    sheet: Annotated[
        Path, typer.Option("--sheet", "-o", help="PNG for a few pairs with their masks laid over them.")
    ] = Path("data_check.png"),
    data_size: Annotated[str, typer.Option(help="HEIGHTxWIDTH to which images are resized.")] = "256x256",
    data_count: Annotated[int | None, typer.Option(min=4, help="Use at most so many pairs.")] = None,
    resize_masks: Annotated[
        bool, typer.Option("--resize-masks", help="Resize masks whose size is not that of their image.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Read every pair of a data source; exit code 2 if it cannot be used."""
    from search.options import DataOptions

    console: Console = context.obj
    size = parse_size(data_size, option="--data-size")
    options = DataOptions(source=source, size=size, count=data_count, resize_masks=resize_masks)
    found = console.api.check_data(options, sheet=sheet, seed=seed)
    document = found.to_json() | {"sheet": str(sheet) if found.readable else None}
    console.emit(document, lambda: _rendered(found, sheet))
    if not found.usable:
        raise typer.Exit(UserError.exit_code)


def _rendered(found: DataCheck, sheet: Path) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if found.source is not None:
        columns = ("part", "pairs", "pictures (height x width)", "masks of another size", "unreadable")
        parts.append(table(found.name, columns, [_row(name, part) for name, part in found.parts.items()]))
        labels = [*found.source.classes, "no label"]
        rows = [[label, *(_share(part, label) for part in found.parts.values())] for label in labels]
        parts.append(table("Percent of the pixels", ("class", *found.parts), rows))
        parts += [plain(f"note: {note}") for note in found.source.notes]
    if found.readable:
        parts.append(f"A few pairs: {plain(sheet)}")
    problems = [*found.faults, *found.remarks]
    parts += [f"[bold]problem:[/] {plain(problem)}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        parts.append(f"and {len(problems) - _SHOWN} more problems: --json has them")
    parts.append("[bold green]It can be used.[/]" if found.usable else "[bold red]It cannot be used.[/]")
    return parts


def _row(name: str, part: PartCheck) -> list[object]:
    ends = [part.sizes[0], part.sizes[-1]] if len(part.sizes) > 1 else part.sizes
    sizes = " to ".join(f"{height} x {width}" for height, width in ends)
    more = f", {len(part.sizes)} sizes" if len(part.sizes) > 2 else ""
    return [name, part.pairs, f"{sizes}{more}" or None, part.size_mismatches, part.unreadable]


def _share(part: PartCheck, label: str) -> float | None:
    total = sum(part.pixels.values())
    return round(100 * part.pixels[label] / total, 3) if total else None
