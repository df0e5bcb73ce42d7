"""One small workspace on the simulated device for all tests of this folder that only read it or add to it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from random import Random

import onnx
import pytest

import latseg
from devices.protocol import MeasurementProtocol
from latency.operators.synthesize import to_model
from latseg.run_handle import RunHandle
from latseg.testing.nets import saved, small_net
from search.spaces.portrait.space import PortraitSpace
from segmentation.data.source import Pair
from segmentation.data.synthetic.source import SyntheticPortraits
from tests.made_once import made_once

DEVICE = "simulated:noise=0.02"
DEFAULTS = {field.name: field.default for field in fields(MeasurementProtocol)}
FEW_BLOCKS = {"minimum_blocks": 5, "maximum_blocks": 9, "profile_runs": 3}
"""Beside other tests a measurement takes as many as it may."""


@contextmanager
def less_work() -> Iterator[None]:
    """Fewer nets, steps, runs and pauses; these tests are about what is done with measurements and predictors."""
    from devices import device
    from export.bundle import decision, pipeline_times
    from latency import campaign_items
    from latency.fit import fit_device
    from latency.predictors.additive import trees
    from search import launch
    from tests.short_feasibility import sample_less
    from tests.short_fits import shorten

    with pytest.MonkeyPatch.context() as patch:  # sets what is there, so that it comes back
        patch.setattr(fit_device, "__kwdefaults__", dict(fit_device.__kwdefaults__))
        patch.setattr(trees, "BOOSTED", trees.BOOSTED)
        patch.setattr(campaign_items, "POOL", 60)
        patch.setattr(decision, "_PAUSE_S", 0.0)
        patch.setattr(device, "PROCESSES", 2)
        patch.setattr(pipeline_times, "_PROCESSES", 1)
        patch.setattr(launch, "SearchSettings", launch.SearchSettings)
        patch.setattr(MeasurementProtocol.__init__, "__defaults__", tuple({**DEFAULTS, **FEW_BLOCKS}.values()))
        shorten()
        sample_less(60)
        yield


@pytest.fixture(scope="module", autouse=True)
def short_work() -> Iterator[None]:
    """Fixtures of the session are made before this one, and say so themselves."""
    with less_work():
        yield


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a campaign and a predictor of the simulated device."""

    def make(folder: Path) -> None:
        device = latseg.Workspace(folder).device(DEVICE)
        with less_work():
            device.profile(models=32, operators=8, sizes=["128x128"])
            device.fit()

    return made_once(tmp_path_factory, "workspace", make)


@pytest.fixture(scope="session")
def measured_cpu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that knows the nominal time and the noise floor of this processor, which take long to measure."""

    def make(folder: Path) -> None:
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
            warnings.simplefilter("ignore")  # on a busy machine
            patch.setattr("devices.device.PROCESSES", 2)  # how exactly they are measured does not matter here
            latseg.Workspace(folder).device("cpu").measure(saved(small_net(), folder / "small.onnx"))

    return made_once(tmp_path_factory, "measured-cpu", make)


@pytest.fixture
def cpu_workspace(measured_cpu: Path, tmp_path: Path) -> Path:
    """A copy of ``measured_cpu``."""
    return shutil.copytree(measured_cpu, tmp_path / "measured-cpu")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A net of the space as an ONNX file."""
    space = PortraitSpace(sizes=((128, 128),))
    path = tmp_path / "net.onnx"
    onnx.save(to_model(space.lower(space.sample(5, Random(1))[1])), path)
    return path


@pytest.fixture(scope="session")
def portraits_made() -> set[int]:
    """Numbers of the portraits that were painted while ``run`` and ``finished`` were made."""
    return set()


@contextmanager
def noted(made: set[int]) -> Iterator[None]:
    make = SyntheticPortraits.make

    def noting(self: SyntheticPortraits, index: int) -> Pair:
        made.add(self.first + index)
        return make(self, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SyntheticPortraits, "make", noting)
        yield


@pytest.fixture(scope="session")
def run(workspace: Path, portraits_made: set[int]) -> RunHandle:
    """A finished search on the simulated device with the smallest settings."""
    with noted(portraits_made), less_work():
        return latseg.Workspace(workspace).search(
            budgets={DEVICE: "2ms"},
            sizes=["128x128"],
            data=latseg.DataOptions(source="synthetic:12", size=(64, 64)),
            evaluator="supernet",
            trials=6,
            training=latseg.TrainingOptions(
                teacher_epochs=0,
                supernet_steps=2,
                winner_epochs=1,
                scene_steps=0,
                batch_size=2,
                evaluation_images=2,
                threads=1,
            ),
        )


@pytest.fixture(scope="session")
def finished(run: RunHandle, portraits_made: set[int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workspace with the run, its trained winner and its bundle."""
    folder = tmp_path_factory.mktemp("finished") / "workspace"
    shutil.copytree(run.workspace.path, folder)
    for other in (folder / "runs").iterdir():  # of tests that ran before
        if other.name != run.id:
            shutil.rmtree(other)
    handle = latseg.Workspace(folder).run(run.id)
    with noted(portraits_made), less_work():
        handle.train(handle.winners[0]).export(formats=["onnx"])
    return folder
