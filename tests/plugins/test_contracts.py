"""The plug-ins of ``package/`` keep the contracts, checked by the suites that their author would import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.registry import DEVICES
from export.exporter import Exporter
from foundation.registry import Registry
from latseg.testing.data_contract import DataContract
from latseg.testing.device_contract import DeviceContract
from latseg.testing.evaluator_contract import EvaluatorContract
from latseg.testing.exporter_contract import ExporterContract
from latseg.testing.space_contract import SpaceContract
from latseg.testing.strategy_contract import StrategyContract
from latseg.testing.task_contract import TaskContract
from search.constraints.budgets import Budgets, ParameterBudget
from search.evaluators.evaluator import Evaluator
from search.evaluators.training import TrainingEvaluator
from search.options import DataOptions, TrainingOptions
from search.spaces.space import SearchSpace
from search.tasks.task import Task, TaskOptions
from segmentation.data.registry import SOURCES
from tests.plugins.package.pictogram.device import Ruler
from tests.plugins.package.pictogram.exporter import DeflatedExporter
from tests.plugins.package.pictogram.space import PictogramSpace
from tests.plugins.package.pictogram.strategy import HillClimb

PACKAGE = "tests.plugins.package.pictogram"
OPTIONS = TaskOptions(DataOptions(source="tiles:36"), TrainingOptions(winner_epochs=2, batch_size=4))


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """What the contracts open by name is found as if the package were installed."""
    entries: list[tuple[Registry[object], str, str]] = [
        (SOURCES, "tiles", f"{PACKAGE}.data:Tiles"),
        (DEVICES, "ruler", f"{PACKAGE}.device:Ruler"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for registry, name, target in entries:
            patch.setitem(registry.targets, name, target)
        yield


class TestTiles(DataContract):
    def text(self) -> str:
        return "tiles:9"


class TestRuler(DeviceContract):
    runtime_modules = ("onnxruntime", "onnx", "torch")
    construct = f"from {PACKAGE}.device import Ruler; Ruler()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Ruler:
        return Ruler()


class TestPictogramSpace(SpaceContract):
    data = "tiles:9"

    def make_space(self, classes: int = 2) -> SearchSpace:
        return PictogramSpace(classes)


class TestPictureTask(TaskContract):
    def make_space(self) -> SearchSpace:
        return PictogramSpace(3)

    def make_task(self, space: SearchSpace, folder: Path) -> Task:
        return space.make_task(OPTIONS)


class TestTrainingOfPictures(EvaluatorContract):
    maximum_parameters = 4000

    def make(self, folder: Path) -> Evaluator:
        space = PictogramSpace(3)
        return TrainingEvaluator(space, space.make_task(OPTIONS), folder=folder)


class TestHillClimb(StrategyContract):
    def make(self, seed: int = 0) -> HillClimb:
        return HillClimb(self.space(), self.budgets(), seed=seed, neighbours=2)

    def space(self) -> SearchSpace:
        return PictogramSpace()

    def budgets(self) -> Budgets:
        return Budgets(ParameterBudget(4000))


class TestDeflatedExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> Exporter:
        return DeflatedExporter()
