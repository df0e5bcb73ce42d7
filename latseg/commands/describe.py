"""``latseg describe``: what architectures of a space are: parameters, operations, predicted latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from foundation.regular_file import DOCUMENT_BYTES, read_regular
from latseg.console import Console, table
from latseg.options import ClassesOption, SeedOption, SpaceOptions, with_option
from latseg.units import as_sizes
from search.spaces.registry import open_space

if TYPE_CHECKING:
    from latency.operators.operator import OperatorGraph
    from search.architecture import Architecture
    from search.spaces.space import SearchSpace


def describe(
    context: typer.Context,
    within: SpaceOptions,
    architecture: Annotated[str | None, typer.Argument(help="An architecture as JSON, or a genotype.")] = None,
    from_file: Annotated[Path | None, typer.Option("--from", help="One architecture or genotype on each line.")] = None,
    random: Annotated[int | None, typer.Option("--random", min=1, help="So many random architectures.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Predict latency on this device.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of a space that has several; the same as SPACE:encoder=NAME.")
    ] = None,
    classes: ClassesOption = 2,
    seed: SeedOption = 0,
) -> None:
    """Count parameters and operations of architectures."""
    console: Console = context.obj
    space = within.text if encoder is None else with_option(within.text, f"encoder={encoder}")
    opened = open_space(space, classes=classes, sizes=as_sizes(within.size))
    found = _architectures(opened, architecture, from_file, random, seed)
    graphs = [opened.lower(item) for item in found]
    predicted, simulated = _predicted(console, device, graphs)
    title = (
        space if device is None else f"{space} on {device}{' (SIMULATED: nothing was ever timed)' if simulated else ''}"
    )
    rows = [
        {
            "id": item.id,
            "architecture": {"space": item.space, "choices": dict(item.choices)},
            "text": opened.text(item),
            "input": list(graph.input_shapes[0][2:]),
            "parameters": opened.parameters(item),
            "decoder_parameters": _decoder_parameters(opened, item),
            "flops": graph.flops,
            "operators": len(graph.operators),
            "resizes": sum(operator.kind == "Resize" for operator in graph.operators),
            "predicted_ms": latency,
            "device": device,
            "simulated": simulated,
        }
        for item, graph, latency in zip(found, graphs, predicted, strict=True)
    ]
    columns = ("id", "input", "parameters", "decoder_parameters", "flops", "operators", "resizes", "predicted_ms")
    console.emit(rows, lambda: table(title, columns, [[row[column] for column in columns] for row in rows]))


def _architectures(
    space: SearchSpace, text: str | None, file: Path | None, random: int | None, seed: int
) -> list[Architecture]:
    if sum(given is not None for given in (text, file, random)) != 1:
        expected = "exactly one of ARCHITECTURE, --from FILE and --random N"
        raise UserError("describe", seen="none or several", expected=expected, remedy="write for example --random 5")
    if random is not None:
        return space.sample(random, Random(seed))
    lines = [text] if text is not None else _lines(file)
    return [space.parse(line) for line in lines if line]


def _decoder_parameters(space: SearchSpace, architecture: Architecture) -> int | None:
    from search.spaces.plan_space import PlanSpace

    return space.plan(architecture).parameters(prefix="decoder") if isinstance(space, PlanSpace) else None


def _lines(file: Path | None) -> list[str]:
    try:
        return read_regular(Path(file or ""), limit=DOCUMENT_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        expected = "a text file with one architecture on each line"
        raise UserError("--from", seen=f"{file} ({reason})", expected=expected, remedy="check the path") from error


def _predicted(
    console: Console, device: str | None, graphs: Sequence[OperatorGraph]
) -> tuple[list[float | None], bool]:
    """Milliseconds of each graph, and whether they come from a simulated device."""
    if device is None:
        return [None] * len(graphs), False
    target = console.api.device(device)
    return list(target.predict_graphs(graphs)), target.info.simulated
