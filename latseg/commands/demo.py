"""``latseg demo``: the whole tool on this machine, with the commands that a user would type."""

from __future__ import annotations

import math
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any, cast

import typer

from latseg.commands.verify import TOO_BUSY, VERIFICATION_FAILED
from latseg.console import INTERRUPTED, Console, plain, table
from latseg.demo_photograph import NAME, NO_PHOTOGRAPH, demo_photograph
from latseg.options import SeedOption
from latseg.units import format_count, parse_parameters, parse_size
from search.spaces.registry import open_space

SIZE = "128x128"
DEVICE = "cpu"
PARAMETERS = "0.4M"
PROFILE: Mapping[str, int] = {"models": 64, "operators": 24}
KEPT_SHARE = 0.15
"""The latency budget is chosen so that this share of the space keeps both budgets."""
SAMPLES = 400
"""Random nets by which it is chosen, and of which the share that keeps it is told."""
PORTRAITS = 4
SEARCH: Mapping[str, Any] = {
    "data": "synthetic:640",
    "data-size": SIZE,
    "calibration-nets": 9,  # as many as the bound's 90 % need
    "teacher-epochs": 0,
    "scene-steps": 0,  # to be done within minutes
    "winner-epochs": 40,
    "batch-size": 16,
    "evaluation-images": 24,
}


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for everything that is made.")] = Path(
        "demo-output"
    ),
    seed: SeedOption = 0,
) -> None:
    """Profile this CPU, fit, search under a budget, train, export, verify, evaluate, segment, report: some minutes."""
    console: Console = context.obj
    console.workspace = output / "workspace"
    inner = Console(workspace=console.workspace, muted=True)
    steps = _Steps(context.find_root().command, inner, console, seed, time.monotonic(), {})
    profiled = steps.run("profile", size=SIZE, **PROFILE)
    fitted = steps.run("fit")
    limits = {"max-latency": f"{_budget_ms(inner, seed):g}ms", "max-params": PARAMETERS, "size": SIZE}
    feasible = steps.run("feasibility", samples=SAMPLES, **limits)
    found = steps.run("search", **limits, **SEARCH)
    if not found["winners"]:
        console.emit(found, lambda: f"No certified net: {plain(found['message'])}.")
        raise typer.Exit(VERIFICATION_FAILED)
    winner = found["winners"][0]
    trained = steps.run("train", found["run"], winner=winner["id"])
    exported = steps.run("export", found["run"], winner=winner["id"])
    verified = steps.run("verify", exported["bundle"])
    evaluated = steps.run("evaluate", found["run"])
    _portraits(output / "portraits", seed)
    if not demo_photograph(output / "portraits"):
        console.remark(NO_PHOTOGRAPH)
    segmented = steps.run("segment", exported["bundle"], output / "portraits", output=output / "segmented")
    page = steps.run("report", found["run"], segmented=output / "segmented")
    document = {**profiled, **fitted, **feasible, **found, **trained, **exported, **verified, **page, **segmented}
    document |= {"budget_ms": float(limits["max-latency"].removesuffix("ms")), "total_seconds": steps.elapsed()}
    document |= {"step_seconds": steps.seconds, "test": evaluated["models"][0]}
    console.emit(document, lambda: _render(inner.workspace, document, winner))
    if not (exported["certified"] and verified["ok"]):
        raise typer.Exit(TOO_BUSY if exported["certified"] and verified["undecided"] else VERIFICATION_FAILED)


@dataclass(frozen=True, slots=True)
class _Steps:
    latseg: Any
    """The command line's group of commands."""
    inner: Console
    outer: Console
    seed: int
    started: float
    seconds: dict[str, float]
    """By command."""

    def run(self, command: str, *arguments: object, **options: object) -> dict[str, Any]:
        """Runs one command line and returns its document."""
        words = ["--workspace", str(self.inner.workspace), command, *map(str, arguments)]
        if self.seed:
            options["seed"] = self.seed
        words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        line = shlex.join(["latseg", *words])
        self.outer.remark(f"[{self.elapsed():4.0f} s] $ {line}")
        self.inner.resume_hint = line
        began = self.elapsed()
        try:
            line_words = [*self._global_flags(), *words]
            code = self.latseg.main(line_words, prog_name="latseg", standalone_mode=False, obj=self.inner)
        finally:
            self.outer.resume_hint = f"{self.inner.resume_hint}  # and then the demo's later steps, or the demo anew"
            self.seconds[command] = self.elapsed() - began
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            self.outer.remark(f"{command} ended with exit code {code}")
        return cast("dict[str, Any]", self.inner.last)

    def _global_flags(self) -> list[str]:
        flags = {"--quiet": self.outer.quiet, "--debug": self.outer.debug}
        return [flag for flag, given in flags.items() if given]

    def elapsed(self) -> float:
        return time.monotonic() - self.started


def _budget_ms(console: Console, seed: int) -> float:
    """A latency budget that at most ``KEPT_SHARE`` of the space keeps, rounded down to two digits."""
    space = open_space("portrait", sizes=[parse_size(SIZE)])
    architectures = space.sample(SAMPLES, Random(seed))
    predictions = console.api.device(DEVICE).predictor.predict([space.lower(each) for each in architectures])
    maximum = parse_parameters(PARAMETERS)
    kept = sorted(
        prediction.upper_ms
        for architecture, prediction in zip(architectures, predictions, strict=True)
        if space.parameters(architecture) <= maximum
    )
    budget = kept[min(len(kept) - 1, int(KEPT_SHARE * len(architectures)))]
    step = 10.0 ** (math.floor(math.log10(budget)) - 1)
    return round(math.floor(budget / step) * step, 6)


def _portraits(folder: Path, seed: int) -> None:
    """A few synthetic portraits as files, in place of a user's photographs."""
    import numpy as np
    from PIL import Image

    from segmentation.data.registry import open_source

    folder.mkdir(parents=True, exist_ok=True)
    source = open_source(f"synthetic:{10 * PORTRAITS}", seed=seed + 1000, size=(320, 256))
    for index in range(PORTRAITS):
        image, _ = source.validation[index]
        pixels = (255 * image).byte().permute(1, 2, 0).numpy().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"portrait{index + 1}.png")


def _render(workspace: Path, document: Mapping[str, Any], winner: Mapping[str, Any]) -> list[Any]:
    """A table of the results, and what to do next; ``document`` is the union of the documents of all commands."""
    scores = document["predictors"][document["handed_over"]]
    measured = next((file["measured_ms"] for file in document["files"] if file["measured_ms"]), None)
    excluded = 100 * (1 - document["feasible_fraction"])
    certified = "yes, by measurement" if document["certified"] else "NO: " + "; ".join(document["refusals"])
    rows = [
        (
            "device",
            f"{document['hardware']}, ONNX Runtime, one thread; noise floor {document['noise_floor_percent']:.1f} %",
        ),
        ("profiled", f"{document['models']} nets and {document['operators']} single operators"),
        ("latency prediction", f"off by {scores['mape_percent']:.1f} % on {document['test_models']} nets held out"),
        (
            "budget",
            f"{document['budget_ms']:g} ms and {PARAMETERS} parameters: excludes {excluded:.0f} % of the space",
        ),
        ("bound near the budget", "; ".join(_near(near) for near in document["near_budget"])),
        ("nets tried", f"{document['trials']}, none of them above the budget by prediction"),
        ("winner", f"{winner['id']}: {format_count(winner['parameters'])} parameters"),
        (
            "measured latency",
            "not certified" if measured is None else f"{measured:.3f} ms for the exported file",
        ),
        ("certified", certified),
        ("verified again", "yes" if document["ok"] else "NO"),
        (
            "quality",
            f"mean IoU {100 * document['test']['mean_iou']:.1f} % on the test part, synthetic portraits",
        ),
        *_real_person(document["outputs"]),
        ("time", f"{document['total_seconds'] / 60:.1f} minutes: {_slowest(document['step_seconds'])}"),
    ]
    half = document["budget_ms"] / 2
    activate = Path(sys.executable).with_name("activate")
    next_steps = [
        *(
            [f"once in this shell       source {activate}"]
            if shutil.which("latseg") is None and activate.exists()
            else []
        ),
        f"look at the report       {document['path']}",
        f"look at the overlays     {Path(document['outputs'][0]['overlay']).parent}",
        f"your own photographs     latseg segment {document['bundle']} PHOTO.jpg",
        f"check the bundle again   latseg verify {document['bundle']}",
        f"another budget           latseg --workspace {workspace} search --max-latency {half:.2g}ms --size {SIZE} "
        "--data folder:DIR",
    ]
    return [
        table("From nothing to a certified net", ("what", "result"), rows),
        "What to do next:",
        *(f"  {plain(line)}" for line in next_steps),
    ]


def _real_person(outputs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """A row on the photograph, where there is one."""
    overlays = [Path(each["overlay"]) for each in outputs if Path(each["image"]).name == NAME]
    return [("a real person", f"{path}: cut out by a net that has seen painted portraits alone") for path in overlays]


def _slowest(seconds: Mapping[str, float]) -> str:
    """The commands that took most of the time."""
    longest = sorted(seconds, key=lambda command: -seconds[command])[:4]
    return ", ".join(f"{command} {seconds[command]:.0f} s" for command in longest)


def _near(near: Mapping[str, Any]) -> str:
    before, after = near["factor_before"], near["factor_after"]
    return f"{near['nets']} random nets measured there: bound {before:.3f} -> {after:.3f} times the prediction"
