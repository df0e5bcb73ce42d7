"""The supernet as evaluator, on a handful of synthetic portraits."""

from __future__ import annotations

import copy
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import torch

from foundation.errors import UserError
from foundation.progress import Progress
from latseg.testing.evaluator_contract import EvaluatorContract
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler, feasible_sampler
from search.evaluators.registry import make_evaluator
from search.evaluators.supernet import SupernetEvaluator, sandwich
from search.options import DataOptions, TrainingOptions
from search.progress import SearchProgress
from search.spaces.portrait.space import PortraitSpace
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions
from segmentation.networks.network import Network
from segmentation.networks.plan import Plan
from segmentation.normalisation import normalise
from segmentation.supernet.supernet import recalibrate
from tests.search.vectors import VectorSpace

BUDGETS = Budgets(ParameterBudget(40_000))
SPACE = PortraitSpace(sizes=[(128, 128)])
TRAINING = TrainingOptions(teacher_epochs=0, supernet_steps=4, batch_size=4, evaluation_images=3, threads=1)


def make(folder: Path, training: TrainingOptions = TRAINING, seed: int = 0, **options: int) -> SupernetEvaluator:
    data = DataOptions(source="synthetic:20", size=(128, 128))
    task = SegmentationTask(SPACE, TaskOptions(data, training, seed, folder))
    chosen = {"pool": 8, "calibration_images": 8} | options
    return SupernetEvaluator(SPACE, task, folder=folder, seed=seed, **chosen)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def sampler() -> FeasibleSampler:
    return feasible_sampler(SPACE, BUDGETS)


@pytest.fixture(scope="module")
def evaluator(sampler: FeasibleSampler, tmp_path_factory: pytest.TempPathFactory) -> SupernetEvaluator:
    made = make(tmp_path_factory.mktemp("supernet"))
    made.prepare(sampler)
    return made


def test_it_is_trained_on_the_training_device(sampler: FeasibleSampler, tmp_path: Path) -> None:
    evaluator = make(tmp_path, TRAINING.model_copy(update={"device": "cuda:99"}))
    with pytest.raises(UserError, match="training device cuda:99"):
        evaluator.prepare(sampler)


class TestSupernetEvaluator(EvaluatorContract):
    maximum_parameters = 40_000

    def make(self, folder: Path) -> SupernetEvaluator:
        return make(folder)


def trained_plans(
    evaluator: SupernetEvaluator, sampler: FeasibleSampler, monkeypatch: pytest.MonkeyPatch
) -> list[Plan]:
    """The nets of all steps of the preparation."""
    from segmentation.supernet.supernet import Supernet

    trained: list[Plan] = []
    forward = Supernet.forward

    def recording(self: Supernet, images: object, plan: Plan) -> object:
        trained.append(plan)
        return forward(self, images, plan)  # type: ignore[arg-type]

    monkeypatch.setattr(Supernet, "forward", recording)
    evaluator.prepare(sampler)
    return trained


def test_only_nets_within_the_budgets_are_trained(
    sampler: FeasibleSampler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = trained_plans(make(tmp_path), sampler, monkeypatch)
    assert len(trained) == 4 * 3
    assert all(plan.parameters() <= 40_000 for plan in trained)


def test_every_step_is_reported(sampler: FeasibleSampler, tmp_path: Path) -> None:
    moments: list[Progress] = []
    make(tmp_path).prepare(sampler, moments.append)
    steps = [("supernet", step, 4) for step in (1, 2, 3, 4)]
    assert [(moment.stage, moment.done, moment.total) for moment in moments] == steps
    assert "over 8 nets" in moments[-1].note


def test_quality_is_the_main_metric_of_the_extracted_net(
    evaluator: SupernetEvaluator, sampler: FeasibleSampler
) -> None:
    architectures = sampler(3, Random(7))
    for architecture, quality in zip(architectures, evaluator.quality(architectures), strict=True):
        network = evaluator.weights(architecture)
        assert quality == evaluator.task.evaluate(architecture, network, limit=3).value


def test_an_evaluated_net_is_not_evaluated_again(
    evaluator: SupernetEvaluator, sampler: FeasibleSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    architectures = sampler(2, Random(3))
    qualities = evaluator.quality(architectures)

    def never(architecture: Architecture) -> None:
        raise AssertionError(architecture)

    monkeypatch.setattr(evaluator, "weights", never)
    assert evaluator.quality(architectures) == qualities


def test_continues_after_ctrl_c(sampler: FeasibleSampler, tmp_path: Path, evaluator: SupernetEvaluator) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).prepare(sampler, stop)
    steps: list[int] = []
    resumed = make(tmp_path)
    resumed.prepare(sampler, lambda progress: steps.append(progress.done))
    assert steps == [2, 3, 4], "the finished step is saved"
    architectures = sampler(2, Random(5))
    assert resumed.quality(architectures) == pytest.approx(evaluator.quality(architectures), abs=1e-6)


def test_batch_normalisation_is_recalibrated_before_an_evaluation(
    evaluator: SupernetEvaluator, sampler: FeasibleSampler
) -> None:
    (architecture,) = sampler(1, Random(1))
    network = evaluator.weights(architecture)
    fresh = Network(SPACE.plan(architecture))
    means = [name for name in network.state_dict() if name.endswith("running_mean")]
    assert means
    changed = [not torch.equal(network.state_dict()[name], fresh.state_dict()[name]) for name in means]
    assert all(changed)
    assert not network.training


def test_calibration_images_are_normalised(evaluator: SupernetEvaluator, sampler: FeasibleSampler) -> None:
    (architecture,) = sampler(1, Random(1))
    network = evaluator.weights(architecture)
    expected = copy.deepcopy(network)
    recalibrate(expected, [normalise(images) for images in evaluator._calibration_batches()])
    torch.testing.assert_close(network.state_dict(), expected.state_dict())


def test_calibration_images_and_batch_decide_the_statistics(sampler: FeasibleSampler, tmp_path: Path) -> None:
    (architecture,) = sampler(1, Random(1))
    found = []
    for options in ({}, {"calibration_images": 4}, {"calibration_batch": 3}):
        evaluator = make(tmp_path, **options)
        evaluator.prepare(sampler)
        state = evaluator.weights(architecture).state_dict()
        found.append(torch.cat([value for name, value in state.items() if name.endswith("running_var")]))
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_calibration_images_are_dealt_evenly(tmp_path: Path) -> None:
    batches = make(tmp_path, calibration_images=9, calibration_batch=4)._calibration_batches()
    assert [len(images) for images in batches] == [3, 3, 3]


def test_pool_and_random_nets_decide_what_is_trained(
    sampler: FeasibleSampler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = trained_plans(make(tmp_path / "one", pool=1, random_nets=0), sampler, monkeypatch)
    assert len(set(one)) == 1
    assert len(one) == 4 * 2
    monkeypatch.undo()
    assert len(trained_plans(make(tmp_path / "many", random_nets=3), sampler, monkeypatch)) == 4 * 5


def test_the_seed_decides_the_weights(sampler: FeasibleSampler, tmp_path: Path) -> None:
    (architecture,) = sampler(1, Random(1))
    states = []
    for seed in (0, 1):
        evaluator = make(tmp_path / str(seed), seed=seed)
        evaluator.prepare(sampler)
        states.append(next(iter(evaluator.weights(architecture).state_dict().values())))
    assert not torch.equal(*states)


def test_other_spaces_and_tasks_are_refused(tmp_path: Path) -> None:
    space = VectorSpace()
    task = space.make_task(TaskOptions(DataOptions(source="vectors:8")))
    with pytest.raises(UserError, match="--evaluator training"):
        make_evaluator("supernet", space, task, folder=tmp_path)
    assert make_evaluator(None, space, task, folder=tmp_path).name == "training"


def test_the_sandwich_is_one_large_one_small_and_others() -> None:
    plans = [SPACE.plan(architecture) for architecture in SPACE.sample(32, Random(0))]
    pool = [(plan, (128, 128)) for plan in plans]
    for seed in range(20):
        drawn = sandwich(pool, 3, Random(seed))
        assert len(drawn) == 5
        assert drawn[0] in pool[:4]
        assert drawn[1] in pool[-4:]
    assert sandwich(pool[:1], 0, Random(0)) == [pool[0], pool[0]]


def test_the_teacher_is_trained_when_the_preparation_begins(sampler: FeasibleSampler, tmp_path: Path) -> None:
    seen: list[Progress] = []
    evaluator = make(tmp_path, TRAINING.model_copy(update={"teacher_epochs": 1}))
    assert not (tmp_path / "teacher.safetensors").exists()
    evaluator.prepare(sampler, seen.append)
    assert (tmp_path / "teacher.safetensors").exists()
    assert list(dict.fromkeys(progress.stage for progress in seen)) == ["teacher", "supernet"]
    for progress in seen:
        assert isinstance(progress, SearchProgress)
        assert f"loss {progress.loss:.3f}" in progress.note
        assert progress.learning_rate is not None
