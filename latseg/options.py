"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DeviceOption = Annotated[
    str, typer.Option("--device", "-d", help="Target, e.g. cpu or openvino; see `latseg devices`.")
]
DevicesOption = Annotated[list[str] | None, typer.Option("--device", "-d", help="Target; may be repeated.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads of the runtime.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of every random choice.")]
IgnoredSeedOption = Annotated[int, typer.Option("--seed", help="Taken and not needed: nothing is left to chance.")]
RunSeedOption = Annotated[int, typer.Option("--seed", help="Taken and not used: the run's own seed counts.")]
SpaceOption = Annotated[str, typer.Option("--space", help="Search space.")]
SizesOption = Annotated[
    list[str] | None, typer.Option("--size", help="Input size, e.g. 160x160; may be repeated. Default: all.")
]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An ONNX file.")]
ShapesOption = Annotated[
    list[str] | None, typer.Option("--shape", help="NAME=1x3x224x224: shape of an input with dynamic axes.")
]
LatencyOption = Annotated[
    list[str] | None, typer.Option("--max-latency", help="Hard limit with its unit, e.g. 8ms; one for each --device.")
]
ParametersOption = Annotated[str, typer.Option("--max-params", help="Hard limit on parameters, e.g. 0.4M.")]
ClassesOption = Annotated[int, typer.Option("--classes", min=2, help="Number of classes.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as `latseg search` printed it.")]
WinnerOption = Annotated[str, typer.Option("--winner", "-w", help="Id of a winner (or of any trial) of the run.")]
