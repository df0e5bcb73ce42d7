"""The target ``bundle``: tampered bundles through ``verify``, which measures nothing here, and ``segment``."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typing_extensions import override

from devices.registry import get_device
from export.bundle.manifest import read_manifest
from fuzzing.commands import errors_of, number_of, run_command
from fuzzing.forked import in_fork
from fuzzing.in_process import use_in_process
from fuzzing.small_run import small_run
from fuzzing.target import REFUSALS, Answer, Case, Target
from latseg.run_handle import DEFAULT_FORMATS, RunHandle
from search.run_config import TargetDevice
from search.run_context import RunContext
from tests.export.bundle.single_edits import NOT_DERIVED, leaves
from tests.export.bundle.tampering import TAMPERS, tamper

_MAY_DIFFER = (*NOT_DERIVED, r"task(\..*)?", r"(files\.\d+\.(sha256|bytes)|certificates\.0\.model_sha256)")
"""Leaves that may differ in a bundle that verifies: also more about the task, and a hash that was fitted to a file
which passes its own check (a model the parity; ``segment.py`` is named as unknown)."""
_OF_UNKNOWN_SPACES = r"architecture\..*"
_BUDGET_MS = 1000.0
_BUNDLE, _PICTURE, _MASKS = "bundle", "picture.png", "masks"


class BundleTarget(Target):
    """Whatever was changed, ``verify`` accepts no other values and then ``segment`` gives no other mask.

    Models run in this process, on ONNX Runtime.

    Args:
        seed: of the changes.
        bundle: that is tampered with; by default the winner of a small search.
        steps: of the predictor of that search.
    """

    name = "bundle"

    def __init__(self, seed: int, *, bundle: Path | None = None, steps: int | None = None) -> None:
        self._seed = seed
        self._given = None if bundle is None else bundle.resolve()
        self._steps = steps

    @override
    def prepare(self, folder: Path) -> None:
        self._whole, self._picture = folder / _BUNDLE, folder / _PICTURE
        noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(self._picture)
        self._expected: float = in_fork(self._make)

    @override
    def case(self, number: int) -> Case:
        seed = self._seed * 1_000_000 + number
        return Case(TAMPERS[seed % len(TAMPERS)].__name__, {}, (str(seed),), self._expected)

    @override
    def run(self, case: Case) -> Answer:
        use_in_process()
        shutil.copytree(self._whole, _BUNDLE)
        how = tamper(Path(_BUNDLE), int(case.words[0]))
        answer = self._answer()
        if answer.exit_code not in REFUSALS and answer.value != case.expected:
            answer.line = f"{how}: {answer.line}"
        return answer

    def _make(self) -> float:
        """The whole bundle; what ``_answer`` gives for it."""
        os.chdir(self._whole.parent)
        if self._given is not None:
            shutil.copytree(self._given, self._whole)
        else:
            _certified(small_run(Path("workspace"), steps=self._steps)).rename(self._whole)
            shutil.rmtree("workspace")
        use_in_process()
        answer = self._answer()
        if answer.value is None:
            raise ValueError(f"the whole bundle is refused: {answer.line}")
        shutil.rmtree(_MASKS)
        return answer.value

    def _answer(self) -> Answer:
        """What both commands say of the bundle in the working directory, which is accepted where both accept it."""
        verified, segmented = self._verify(), self._segment()
        for answer in (segmented, verified):
            if answer.exit_code not in (0, *REFUSALS):
                return answer
        for answer in (verified, segmented):
            if answer.exit_code:
                return answer
        return Answer(0, value=number_of([segmented.value, self._differences()]))

    def _verify(self) -> Answer:
        code, out, err = run_command("--json", "--quiet", "verify", _BUNDLE, "--no-measure")
        if errors_of(err) or not out:
            return Answer(code, errors_of(err))
        failed = [f"{check['name']}: {check['detail']}" for check in json.loads(out)["checks"] if not check["ok"]]
        return Answer(code, "; ".join(failed))

    def _segment(self) -> Answer:
        code, _, err = run_command("--json", "--quiet", "segment", _BUNDLE, str(self._picture), "--output", _MASKS)
        if code:
            return Answer(code, errors_of(err))
        mask = np.asarray(Image.open(Path(_MASKS, f"{self._picture.stem}_mask.png")))
        return Answer(0, value=number_of(mask.tolist()))

    def _differences(self) -> list[str]:
        """Paths of the leaves of the manifest that differ from the whole bundle's and may not."""
        one, other = map(_values, (self._whole, Path(_BUNDLE)))
        allowed = [each for each in _MAY_DIFFER if self._given is not None or each != _OF_UNKNOWN_SPACES]
        differing = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        return [key for key in differing if not any(re.fullmatch(pattern, key) for pattern in allowed)]


def _certified(run: RunHandle) -> Path:
    """The bundle of the run's winner with a certificate of ``cpu``: the simulated device certifies nothing."""
    from search.winners.export import export_winner

    winner = run.winners[0]
    target = TargetDevice.of("cpu", _BUDGET_MS, get_device("cpu"))
    config = run.config.model_copy(update={"targets": (target,)})
    with run.workspace.folder.store() as store:
        context = RunContext.open(run.path, config, store)
        export_winner(
            context, winner.architecture, formats=DEFAULT_FORMATS, command=f"latseg export RUN --winner {winner.id}"
        )
        return context.folder.bundle(winner.id)


def _values(bundle: Path) -> dict[str, Any]:
    manifest = read_manifest(bundle).model_dump(mode="json", by_alias=True)
    return {".".join(map(str, path)): _at(manifest, path) for path in leaves(manifest)}


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return len(value) if isinstance(value, list) else value
