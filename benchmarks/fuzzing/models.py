"""The targets ``graph``, ``predict`` and ``measure``: mutated ONNX files."""

from __future__ import annotations

import contextlib
import traceback
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from random import Random

import onnx
from typing_extensions import override

import latseg
from foundation.errors import UserError
from fuzzing.commands import errors_of, run_command
from fuzzing.forked import in_fork
from fuzzing.model_mutations import MUTATIONS, harmless, mutate_bytes, weights_elsewhere
from fuzzing.model_seeds import seed_models
from fuzzing.small_run import DEVICE, shorten_fits
from fuzzing.special_files import Special
from fuzzing.target import Answer, Case, Target
from latency.bounded import BoundedPredictor
from latency.operators.from_onnx import from_onnx
from latseg.device_handle import DeviceHandle

_FILE, _WEIGHTS = "net.onnx", "weights"
_BYTES, _HARMLESS, _SPECIAL = 0.3, 0.35, 0.38
"""Shares of the cases, cumulated: of mutated bytes, of changes without meaning, and of files that cannot be read."""


class _ReadOnce(DeviceHandle):
    """A device whose predictor is read from the workspace once."""

    @cached_property
    def predictor(self) -> BoundedPredictor:
        """As in the base class."""
        return super().predictor


class ModelTarget(Target):
    """Mutated models; how they are run is left to derived classes."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._models = seed_models(seed)

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """The command line of every case."""

    def expected(self, place: int) -> float | None:  # noqa: ARG002 - a derived class may know it
        """What a run answers for a seed model and for those that differ from it in texts only; None: any number."""
        return None

    @override
    def case(self, number: int) -> Case:
        random = Random(f"{self._seed} {number}")
        place = random.randrange(len(self._models))
        model = onnx.ModelProto()
        model.CopyFrom(self._models[place])
        choice = random.random()
        if choice < _BYTES:
            content = mutate_bytes(model.SerializeToString(), random)
            return Case(f"net {place}: bytes", {_FILE: content}, self.words)
        if choice < _HARMLESS:
            harmless(model, random)
            return Case(f"net {place}: texts", {_FILE: model.SerializeToString()}, self.words, self.expected(place))
        if choice < _SPECIAL:
            return self._special(place, model, random)
        mutations = random.choices(MUTATIONS, k=random.choice((1, 1, 2, 3)))
        for mutation in mutations:
            with contextlib.suppress(ValueError, TypeError, IndexError):  # nothing of this kind is left in the model
                mutation(model, random)
        names = ", ".join(mutation.__name__.strip("_") for mutation in mutations)
        return Case(f"net {place}: {names}", {_FILE: model.SerializeToString()}, self.words)

    def _special(self, place: int, model: onnx.ModelProto, random: Random) -> Case:
        """In the place of the file, or of the one with its weights."""
        kind = random.choice(list(Special))
        if random.random() < 0.5:
            return Case(f"net {place}: {kind}", {_FILE: kind}, self.words)
        weights_elsewhere(model, _WEIGHTS)
        return Case(f"net {place}: weights, {kind}", {_FILE: model.SerializeToString(), _WEIGHTS: kind}, self.words)


class GraphTarget(ModelTarget):
    """The operator graph of a mutated model: what ``predict`` does before it predicts, and needs no predictor."""

    name = "graph"
    words = ()

    @override
    def prepare(self, folder: Path) -> None:
        del folder

    @override
    def run(self, case: Case) -> Answer:
        return _answer(lambda: float(from_onnx(Path(_FILE)).flops))

    @override
    def expected(self, place: int) -> float | None:
        try:
            return float(from_onnx(self._models[place]).flops)
        except UserError:
            return None


class PredictTarget(ModelTarget):
    """What ``latseg predict`` says of a mutated model. The predictor is read once, not for every model."""

    name = "predict"

    def __init__(self, seed: int, *, nets: int = 24, steps: int | None = None) -> None:
        super().__init__(seed)
        self._nets = nets
        self._steps = steps

    @override
    def prepare(self, folder: Path) -> None:
        workspace = latseg.Workspace(folder / "workspace", on_warning=lambda _: None)
        opened = workspace.device(DEVICE)
        self._device = _ReadOnce(opened.workspace, opened.device)
        self._known: list[float | None] = in_fork(lambda: self._fit(folder))

    def _fit(self, folder: Path) -> list[float | None]:
        """Fits the predictor; what it says of the seed models."""
        shorten_fits(self._steps)
        self._device.profile(models=self._nets, operators=8, sizes=["128x128"])
        self._device.fit()
        return [self._latency_ms(model, folder) for model in self._models]

    def _latency_ms(self, model: onnx.ModelProto, folder: Path) -> float | None:
        path = folder / _FILE
        path.write_bytes(model.SerializeToString())
        try:
            return self._device.predict(path).latency_ms
        except UserError:
            return None
        finally:
            path.unlink()

    @property
    @override
    def words(self) -> tuple[str, ...]:
        return ("predict", _FILE, "--device", DEVICE)

    @override
    def expected(self, place: int) -> float | None:
        return self._known[place]

    @override
    def run(self, case: Case) -> Answer:
        return _answer(self._predicted_ms)

    def _predicted_ms(self) -> float:
        """The answer of the Python interface, on which the command rests."""
        predicted = self._device.predict(_FILE)
        predicted.to_json()
        return predicted.latency_ms


class MeasureTarget(ModelTarget):
    """What ``latseg measure`` does with a mutated model on the real device ``cpu``."""

    name = "measure"
    written = ("workspace",)

    @override
    def prepare(self, folder: Path) -> None:
        self._workspace = folder / "workspace"
        self._workspace.mkdir()

    @property
    @override
    def words(self) -> tuple[str, ...]:
        return ("--workspace", str(self._workspace), "--quiet", "measure", _FILE, "--device", "cpu")

    @override
    def run(self, case: Case) -> Answer:
        code, _, err = run_command(*case.words)
        return Answer(code, errors_of(err))


def _answer(compute: Callable[[], float]) -> Answer:
    try:
        return Answer(0, value=compute())
    except UserError as error:
        return Answer(error.exit_code, str(error))
    except Exception as error:
        return Answer(1, f"{type(error).__name__}: {error}", trace=traceback.format_exc())
