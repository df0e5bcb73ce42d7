"""The target ``workspace``: damaged files of a workspace, through the commands that read them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

import onnx
from typing_extensions import override

import latseg
from fuzzing.commands import errors_of, number_of, run_command
from fuzzing.forked import in_fork
from fuzzing.small_run import DEVICE, shorten_fits, small_run
from fuzzing.target import Answer, Case, Target
from fuzzing.workspace_damage import damage
from latency.operators.synthesize import to_model
from latency.predictors.transfer.prior_folder import SHIPPED, known_prior
from search.spaces.portrait.space import PortraitSpace

ACTIONS = {
    "store": ("samples", "samples", "samples", "fit", "search", "doctor", "repair"),
    "predictor": ("predict", "predict", "predict", "search", "report", "doctor"),
    "prior": ("prior", "prior", "prior", "fit", "doctor"),
    "run": ("report", "search", "train", "doctor"),
    "trials": ("trials", "trials", "search", "report", "train", "doctor", "repair"),
    "record": ("report", "search", "doctor"),
    "winner": ("train", "train", "train", "export", "report", "doctor"),
    "supernet": ("search", "doctor"),
    "bundle": ("report", "doctor"),
}
"""What is done with a workspace in which a file of this kind is damaged."""
_ANSWERED = (0, 4)
"""Exit codes of commands that did what they should; 4 says that a simulated device certifies nothing."""


class WorkspaceTarget(Target):
    """Damage anywhere in a workspace must be refused in one line, told in a warning, or change no number."""

    name = "workspace"

    def __init__(
        self, seed: int, *, workspace: Path | None = None, steps: int | None = None, quick: bool = False
    ) -> None:
        self._seed = seed
        self._given = workspace
        self._steps = steps
        self._quick = quick

    @override
    def prepare(self, folder: Path) -> None:
        self._workspace = folder / "workspace"
        self._expected: dict[str, float | None] = in_fork(self._make)
        (self._run,) = (path.name for path in (self._workspace / "runs").iterdir())
        (self._winner,) = (path.stem for path in (self._workspace / "runs").glob("*/winners/*.safetensors"))

    @override
    def case(self, number: int) -> Case:
        random = Random(f"{self._seed} {number}")
        kind = random.choice(list(ACTIONS))
        actions = [each for each in ACTIONS[kind] if not (self._quick and each in ("fit", "export", "report"))]
        action = random.choice(actions or ["doctor"])
        return Case(f"{action} of {kind}", {}, (kind, action, str(number)), self._expected[action])

    @override
    def run(self, case: Case) -> Answer:
        kind, action, number = case.words
        self._copy(Path("workspace"))
        how = damage(Path("workspace"), kind, Random(f"{self._seed} {number} damage"))
        answer = self._answer(action, Path("workspace"), case.expected)
        if answer.exit_code not in (0, 2, 3, 5) or answer.trace or (answer.value != case.expected):
            answer.line = f"{how}: {answer.line}"
        return answer

    def _make(self) -> dict[str, float | None]:
        """The workspace; what each action answers in it."""
        if self._given is not None:
            shutil.copytree(self._given, self._workspace)
        else:
            run = small_run(self._workspace, steps=self._steps)
            run.export(run.winners[0], formats=["onnx"])
        if not (self._workspace / "prior").exists():
            shutil.copytree(SHIPPED, self._workspace / "prior", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        random = Random(5)
        space = PortraitSpace(sizes=((128, 128),))
        onnx.save(to_model(space.lower(space.sample(1, random)[0])), self._workspace / "net.onnx")
        (self._run,) = latseg.Workspace(self._workspace).runs
        self._winner = latseg.Workspace(self._workspace).run(self._run).winners[0].id
        actions = {each for some in ACTIONS.values() for each in some}
        return {action: self._known(action) for action in sorted(actions)}

    def _known(self, action: str) -> float | None:
        """What the action answers in the undamaged workspace."""
        if self._quick and action in ("fit", "export", "report"):
            return None
        copy = self._workspace.with_name("whole")
        self._copy(copy)
        answer = self._answer(action, copy, None)
        if answer.exit_code or answer.trace:
            raise AssertionError(f"{action}: {answer}")
        shutil.rmtree(copy)
        return answer.value

    def _copy(self, target: Path) -> None:
        """Links, but for SQLite's files, which are written to where they are."""

        def link(source: str, name: str) -> None:
            (shutil.copy2 if ".sqlite" in source else os.link)(source, name)

        shutil.copytree(self._workspace, target, copy_function=link)

    def _answer(self, action: str, workspace: Path, expected: float | None) -> Answer:
        actions: dict[str, Callable[[Path], Answer]] = {
            "samples": _python(self._samples),
            "trials": _python(self._trials),
            "prior": _python(lambda folder: known_prior(folder / "prior") is not None),
            "predict": self._command(
                ["predict", str(workspace / "net.onnx"), "--device", DEVICE], "latency_ms", "upper_ms"
            ),
            "fit": self._command(["fit", "--device", DEVICE], "predictors", "coverage", "bound"),
            "search": self._command(["search", "--resume", self._run], "trials", "winners"),
            "report": self._command(["report", self._run]),
            "train": self._command(["train", self._run, "--winner", self._winner], "quality", "epochs"),
            "export": self._command(["export", self._run, "--winner", self._winner, "--format", "onnx"], "certified"),
            "doctor": self._doctor,
            "repair": self._repair,
        }
        if action == "fit":
            shorten_fits(self._steps)
        answer = actions[action](workspace)
        if answer.exit_code == 0 and "warning: " in answer.line:
            answer.value = expected  # what was left out was told
        return answer

    def _command(self, words: list[str], *keys: str) -> Callable[[Path], Answer]:
        def run(workspace: Path) -> Answer:
            code, out, err = run_command("--workspace", str(workspace), "--json", "--quiet", *words)
            if errors_of(err) or code not in _ANSWERED:
                return Answer(code, errors_of(err))
            document = json.loads(out)
            return Answer(0, err, value=number_of([document[key] for key in keys]))

        return run

    def _doctor(self, workspace: Path) -> Answer:
        code, out, err = run_command("doctor", str(workspace), "--json")
        if code == 2 and '"files"' in out:
            return Answer(2, "damage was named")
        return Answer(code, errors_of(err))

    def _repair(self, workspace: Path) -> Answer:
        """After a repair the stores can be read, and nothing is left to repair in them."""
        run_command("doctor", str(workspace), "--repair")
        _, out, err = run_command("doctor", str(workspace), "--json")
        if not out:
            return Answer(2, err)
        left = [file["path"] for file in json.loads(out)["files"] if file["fault"] and file["path"].endswith("sqlite")]
        if left:
            return Answer(1, f"still damaged after a repair: {left}", trace=out)
        answer = _python(lambda folder: self._samples(folder) and self._trials(folder))(workspace)
        return Answer(answer.exit_code, answer.line, None, answer.trace)

    def _samples(self, folder: Path) -> object:
        workspace = latseg.Workspace(folder, on_warning=_warn)
        info = workspace.device(DEVICE).info
        with workspace.folder.known_store() as store:
            samples = store.samples(info.fingerprint)
        return [(sample.label, sample.latency_ms, [kernel.ms for kernel in sample.kernels]) for sample in samples]

    def _trials(self, folder: Path) -> object:
        trials = latseg.Workspace(folder, on_warning=_warn).run(self._run).trials
        return [(trial.id, trial.quality, dict(trial.upper_ms), trial.measured_ms, trial.status) for trial in trials]


def _python(compute: Callable[[Path], object]) -> Callable[[Path], Answer]:
    def run(workspace: Path) -> Answer:
        from foundation.errors import UserError

        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            try:
                value = compute(workspace)
            except UserError as error:
                return Answer(error.exit_code, str(error))
            except Exception as error:
                return Answer(1, f"{type(error).__name__}: {error}", trace=traceback.format_exc())
        return Answer(0, errors.getvalue(), value=number_of(value))

    return run


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")
