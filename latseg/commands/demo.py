"""``latseg demo``: the whole tool on this machine, with the commands that a user would type."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Annotated, Any, cast

import typer

from latseg.commands.export import export
from latseg.commands.feasibility import feasibility
from latseg.commands.fit import fit
from latseg.commands.profile import profile
from latseg.commands.report import report
from latseg.commands.search import search
from latseg.commands.segment import segment
from latseg.commands.train import train
from latseg.commands.verify import verify
from latseg.console import Console, plain
from latseg.options import SeedOption
from latseg.output.demo import drawn_demo
from latseg.units import parse_size
from latseg.workspace import Workspace
from search.spaces.registry import open_space

SIZE = "128x128"
DEVICE = "cpu"
PARAMETERS = "0.4M"
MODELS, OPERATORS = 70, 40
KEPT_SHARE = 0.35
"""The latency budget is chosen so that this share of the space keeps both budgets."""
PORTRAITS = 4
EFFORT: dict[str, Any] = {
    "data": "synthetic:320",
    "data_size": SIZE,
    "trials": 64,
    "near_budget": 9,  # as many as the bound's 90 % need
    "teacher_epochs": 5,
    "supernet_steps": 160,
    "winner_epochs": 11,
    "batch_size": 8,
    "evaluation_images": 32,
}


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for everything that is made.")] = Path(
        "demo-output"
    ),
    seed: SeedOption = 0,
) -> None:
    """Profile this CPU, fit, search under a budget, train, export, verify, report, segment: some minutes."""
    console: Console = context.obj
    console.workspace = output / "workspace"
    inner = Console(workspace=console.workspace, quiet=console.quiet, debug=console.debug, muted=True)
    steps = _Steps(inner, console, time.monotonic())
    profiled = steps.run("profile", profile, size=[SIZE], models=MODELS, operators=OPERATORS, seed=seed)
    fitted = steps.run("fit", fit, seed=seed)
    budget = f"{_budget_ms(inner, seed):g}ms"
    limits = {"max_latency": [budget], "max_params": PARAMETERS, "size": [SIZE]}
    feasible = steps.run("feasibility", feasibility, **limits, seed=seed)
    found = steps.run("search", search, **limits, **EFFORT, seed=seed)
    if not found["winners"]:
        console.emit(found, lambda: f"No certified net: {plain(found['message'])}.")
        raise typer.Exit(4)
    winner = found["winners"][0]
    trained = steps.run("train", train, found["run"], winner["id"])
    exported = steps.run("export", export, found["run"], winner["id"])
    verified = steps.run("verify", verify, Path(exported["bundle"]), seed=seed)
    page = steps.run("report", report, found["run"])
    portraits = _portraits(output / "portraits", seed)
    segmented = steps.run("segment", segment, Path(exported["bundle"]), portraits, output=output / "segmented")
    document = {**profiled, **fitted, **feasible, **found, **trained, **exported, **verified, **page, **segmented}
    document["budget_ms"], document["total_seconds"] = float(budget.removesuffix("ms")), steps.seconds()
    console.emit(document, lambda: drawn_demo(inner.workspace, document, winner, PARAMETERS, SIZE))
    if not (exported["certified"] and verified["ok"]):
        raise typer.Exit(4)


@dataclass(frozen=True, slots=True)
class _Steps:
    inner: Console
    outer: Console
    started: float

    def run(self, name: str, command: Callable[..., None], *arguments: Any, **options: Any) -> dict[str, Any]:
        """Runs one command as its command line would, and returns its document."""
        line = _line(self.inner.workspace, name, arguments, options)
        self.outer.remark(f"[{self.seconds():4.0f} s] $ {line}")
        self.inner.resume_hint = line
        try:
            command(cast("typer.Context", SimpleNamespace(obj=self.inner)), *arguments, **options)
        except typer.Exit as stop:
            self.outer.remark(f"{name} ended with exit code {stop.exit_code}")
        finally:
            self.outer.resume_hint = f"{self.inner.resume_hint}  # and then the demo's later steps, or the demo anew"
        return cast("dict[str, Any]", self.inner.last)

    def seconds(self) -> float:
        return time.monotonic() - self.started


def _line(workspace: Path, name: str, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    words = ["latseg", "--workspace", str(workspace), name]
    for position, argument in enumerate(arguments):
        values = argument if isinstance(argument, list) else [argument]
        words += ["--winner"] if position == 1 and name in ("train", "export") else []
        words += [str(value) for value in values]
    for option, value in options.items():
        if option == "seed" and value == 0:
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{option.replace('_', '-')}", str(one)]
    return shlex.join(words)


def _budget_ms(console: Console, seed: int) -> float:
    """A latency budget that at most ``KEPT_SHARE`` of the space keeps, rounded down to two digits."""
    from devices.registry import get_device
    from latseg.units import parse_parameters

    space = open_space("portrait", [parse_size(SIZE)])
    predictor = Workspace(console.workspace).predictor(get_device(DEVICE), console.warn)
    architectures = space.sample(400, Random(seed))
    predictions = predictor.predict([space.lower(architecture) for architecture in architectures])
    maximum = parse_parameters(PARAMETERS)
    kept = sorted(
        prediction.upper_ms
        for architecture, prediction in zip(architectures, predictions, strict=True)
        if space.plan(architecture).parameters() <= maximum
    )
    budget = kept[min(len(kept) - 1, int(KEPT_SHARE * len(architectures)))]
    step = 10.0 ** (math.floor(math.log10(budget)) - 1)
    return round(math.floor(budget / step) * step, 6)


def _portraits(folder: Path, seed: int) -> list[Path]:
    """A few drawn portraits as files: stand-ins for a user's photographs."""
    import numpy as np
    from PIL import Image

    from segmentation.data.sources import open_source

    folder.mkdir(parents=True, exist_ok=True)
    source = open_source(f"synthetic:{10 * PORTRAITS}", seed=seed + 1000, size=(320, 256))
    paths = []
    for index in range(PORTRAITS):
        image, _ = source.validation[index]
        paths.append(folder / f"portrait{index + 1}.png")
        Image.fromarray((255 * image).byte().permute(1, 2, 0).numpy().astype(np.uint8)).save(paths[-1])
    return paths
