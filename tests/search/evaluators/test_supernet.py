"""The supernet as evaluator, on a handful of synthetic portraits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import torch

from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler, feasible_sampler
from search.evaluators.supernet import SupernetEvaluation, SupernetEvaluator, sandwich
from search.progress import Progress
from search.spaces.portrait.space import PortraitSpace
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.evaluation import evaluate
from segmentation.networks.plan import Plan
from segmentation.supernet.training import SupernetSettings

BUDGETS = Budgets(ParameterBudget(40_000))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def space() -> PortraitSpace:
    return PortraitSpace([(128, 128)])


@pytest.fixture(scope="module")
def source() -> DataSource:
    return open_source("synthetic:20", size=(128, 128))


@pytest.fixture(scope="module")
def sampler(space: PortraitSpace) -> FeasibleSampler:
    return feasible_sampler(space, BUDGETS)


def make(space: PortraitSpace, source: DataSource, checkpoint: Path | None = None, steps: int = 4) -> SupernetEvaluator:
    training = SupernetSettings(steps=steps, batch_size=4, checkpoint_every=2)
    settings = SupernetEvaluation(pool=8, random_nets=1, calibration_images=8, validation_images=3, training=training)
    return SupernetEvaluator(space, source, settings, checkpoint=checkpoint)


@pytest.fixture(scope="module")
def evaluator(space: PortraitSpace, source: DataSource, sampler: FeasibleSampler) -> SupernetEvaluator:
    made = make(space, source)
    made.prepare(sampler)
    return made


def test_only_nets_within_the_budgets_are_trained(
    space: PortraitSpace, source: DataSource, sampler: FeasibleSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segmentation.supernet.supernet import Supernet

    trained: list[Plan] = []
    forward = Supernet.forward

    def noting(self: Supernet, images: object, plan: Plan) -> object:
        trained.append(plan)
        return forward(self, images, plan)  # type: ignore[arg-type]

    monkeypatch.setattr(Supernet, "forward", noting)
    told: list[Progress] = []
    make(space, source).prepare(sampler, told.append)
    assert len(trained) == 4 * 3
    assert all(plan.parameters() <= 40_000 for plan in trained)
    assert [(moment.stage, moment.done, moment.total) for moment in told] == [("supernet", i, 4) for i in (1, 2, 3, 4)]


def test_quality_is_the_mean_iou_of_the_extracted_net(
    evaluator: SupernetEvaluator, space: PortraitSpace, source: DataSource, sampler: FeasibleSampler
) -> None:
    architectures = sampler(3, Random(7))
    qualities = evaluator.quality(architectures)
    for architecture, quality in zip(architectures, qualities, strict=True):
        network = evaluator.network(architecture)
        assert quality == evaluate(network, source.validation, (128, 128), limit=3).mean_iou
        assert 0.0 <= quality <= 1.0
    assert evaluator.quality(architectures[::-1]) == qualities[::-1]


def test_a_judged_net_is_not_judged_again(
    evaluator: SupernetEvaluator, sampler: FeasibleSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    architectures = sampler(2, Random(3))
    qualities = evaluator.quality(architectures)

    def never(architecture: Architecture) -> None:
        raise AssertionError(architecture)

    monkeypatch.setattr(evaluator, "network", never)
    assert evaluator.quality(architectures) == qualities


def test_goes_on_from_its_checkpoint(
    space: PortraitSpace, source: DataSource, sampler: FeasibleSampler, tmp_path: Path, evaluator: SupernetEvaluator
) -> None:
    architectures = sampler(2, Random(5))
    path = tmp_path / "supernet.safetensors"
    interrupted = make(space, source, path)

    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.prepare(sampler, stop)
    steps: list[int] = []
    resumed = make(space, source, path)
    resumed.prepare(sampler, lambda progress: steps.append(progress.done))
    assert steps == [3, 4]
    assert resumed.quality(architectures) == pytest.approx(evaluator.quality(architectures), abs=1e-6)
    steps.clear()
    finished = make(space, source, path)
    finished.prepare(sampler, lambda progress: steps.append(progress.done))
    assert steps == []
    assert finished.quality(architectures) == resumed.quality(architectures)


def test_the_sandwich_is_one_large_one_small_and_others(space: PortraitSpace) -> None:
    plans = [space.plan(architecture) for architecture in space.sample(32, Random(0))]
    pool = [(plan, (128, 128)) for plan in plans]
    for seed in range(20):
        drawn = sandwich(pool, 3, Random(seed))
        assert len(drawn) == 5
        assert drawn[0] in pool[:4]
        assert drawn[1] in pool[-4:]
    assert sandwich(pool[:1], 0, Random(0)) == [pool[0], pool[0]]


def test_the_teacher_is_asked_for_when_training_begins(
    space: PortraitSpace, source: DataSource, sampler: FeasibleSampler
) -> None:
    asked: list[int] = []

    def teacher() -> torch.nn.Module:
        asked.append(1)
        return torch.nn.Conv2d(3, 2, 1)

    training = SupernetSettings(steps=1, batch_size=2)
    settings = SupernetEvaluation(pool=2, random_nets=0, training=training)
    taught = SupernetEvaluator(space, source, settings, teacher=teacher)
    assert not asked
    taught.prepare(sampler)
    assert asked == [1]
