"""The evaluator that trains some nets and predicts the others."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from foundation.errors import UserError
from foundation.progress import Progress
from latseg.testing.evaluator_contract import EvaluatorContract
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler, feasible_sampler
from search.evaluators.registry import make_evaluator
from search.evaluators.regression import RegressionEvaluator
from search.options import DataOptions
from search.progress import SearchProgress
from search.spaces.portrait.space import PortraitSpace
from search.tasks.task import Quality, TaskOptions, Trained
from tests.search.vectors import VectorSpace

VECTORS = VectorSpace(classes=3)
PORTRAIT = PortraitSpace(sizes=((128, 128),))


def make(folder: Path, text: str = "regression:nets=4,examples=100") -> RegressionEvaluator:
    task = VECTORS.make_task(TaskOptions(DataOptions(source="vectors:64")))
    evaluator = make_evaluator(text, VECTORS, task, folder=folder)
    assert isinstance(evaluator, RegressionEvaluator)
    return evaluator


def sampler(space: Any, maximum: int = 1000) -> FeasibleSampler:
    return feasible_sampler(space, Budgets(ParameterBudget(maximum)))


class TestRegressionEvaluator(EvaluatorContract):
    maximum_parameters = 1000

    def make(self, folder: Path) -> RegressionEvaluator:
        return make(folder)


class RecordingTask:
    """Quality is a known function of the net; ``trained`` holds what was trained, with its epochs."""

    training_examples = 100

    def __init__(self, space: PortraitSpace, stop_after: int | None = None) -> None:
        self.space = space
        self.stop_after = stop_after
        self.trained: list[tuple[Architecture, int]] = []

    def train(self, architecture: Architecture, *, epochs: int, **_: object) -> Trained:
        if len(self.trained) == self.stop_after:
            raise KeyboardInterrupt
        self.trained.append((architecture, epochs))
        return Trained(None, Quality({"score": self.truth(architecture)}, "score", 1), epochs, 0.0)  # type: ignore[arg-type]

    def truth(self, architecture: Architecture) -> float:
        graph = self.space.lower(architecture)
        wide = sum(1 for one in graph.operators if one.output_shapes[0][2] == 8)
        return 0.3 + 0.01 * wide


def prepared(folder: Path, **options: int) -> tuple[RegressionEvaluator, RecordingTask]:
    task = RecordingTask(PORTRAIT)
    evaluator = RegressionEvaluator(PORTRAIT, task, folder=folder, **options)  # type: ignore[arg-type]
    evaluator.prepare(sampler(PORTRAIT, 400_000))
    return evaluator, task


@pytest.mark.slow
def test_it_predicts_nets_that_were_never_trained(tmp_path: Path) -> None:
    evaluator, task = prepared(tmp_path, nets=32)
    trained = {net for net, _ in task.trained}
    others = [net for net in sampler(PORTRAIT, 400_000)(40, Random(5)) if net not in trained]
    truth = [task.truth(net) for net in others]
    estimates = evaluator.quality(others)
    pairs = [(a, b) for a in range(len(others)) for b in range(a) if truth[a] != truth[b]]
    agreeing = sum((truth[a] < truth[b]) == (estimates[a] < estimates[b]) for a, b in pairs)
    assert agreeing > 0.8 * len(pairs)


def test_a_resumed_search_with_other_bounds_goes_on_with_the_same_nets(tmp_path: Path) -> None:
    whole, first = prepared(tmp_path / "whole", nets=6)
    interrupted = RecordingTask(PORTRAIT, stop_after=4)
    evaluator = RegressionEvaluator(PORTRAIT, interrupted, folder=tmp_path, nets=6)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        evaluator.prepare(sampler(PORTRAIT, 400_000))
    rest = RecordingTask(PORTRAIT)
    resumed = RegressionEvaluator(PORTRAIT, rest, folder=tmp_path, nets=6)  # type: ignore[arg-type]
    resumed.prepare(sampler(PORTRAIT, 30_000))
    assert interrupted.trained + rest.trained == first.trained
    others = sampler(PORTRAIT, 400_000)(5, Random(5))
    assert resumed.quality(others) == whole.quality(others)


def test_a_finished_training_leaves_no_checkpoint(tmp_path: Path) -> None:
    make(tmp_path).prepare(sampler(VECTORS))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    make(tmp_path).prepare(sampler(VECTORS))
    record = tmp_path / "short_trainings.json"
    record.write_text(record.read_text().replace("0.", "1.", 1))
    with pytest.raises(UserError, match=r"short_trainings\.json.*checksum.*trained anew"):
        make(tmp_path).prepare(sampler(VECTORS))


def test_it_trains_small_and_large_nets_alike(tmp_path: Path) -> None:
    _, task = prepared(tmp_path, nets=6)
    flops = [PORTRAIT.lower(net).flops for net, _ in task.trained]
    everything = sorted(PORTRAIT.lower(net).flops for net in sampler(PORTRAIT, 400_000)(200, Random(1)))
    assert flops == sorted(flops)
    assert flops[0] < everything[20]
    assert flops[-1] > everything[-20]


@pytest.mark.parametrize(("examples", "epochs"), [(10, 1), (250, 2), (1000, 10)])
def test_examples_decide_how_long_each_net_is_trained(tmp_path: Path, examples: int, epochs: int) -> None:
    _, task = prepared(tmp_path, nets=4, examples=examples)
    assert [found for _, found in task.trained] == [epochs] * 4


def test_the_seed_decides_which_nets_are_trained(tmp_path: Path) -> None:
    def trained(seed: int) -> list[tuple[Architecture, int]]:
        task = RecordingTask(PORTRAIT)
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        evaluator = RegressionEvaluator(PORTRAIT, task, folder=folder, seed=seed, nets=4)  # type: ignore[arg-type]
        evaluator.prepare(sampler(PORTRAIT, 400_000))
        return task.trained

    assert trained(1) == trained(1) != trained(2)


def test_progress_counts_nets_and_names_the_best(tmp_path: Path) -> None:
    seen: list[Progress] = []
    make(tmp_path).prepare(sampler(VECTORS), seen.append)
    assert {(progress.stage, progress.total) for progress in seen} == {("short trainings", 4)}
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1].note.startswith("best 0.")
    running = [progress.training for progress in seen if isinstance(progress, SearchProgress)]
    assert len({training.stage for training in running if training is not None}) == 4


def test_too_few_nets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nets to train"):
        make(tmp_path).prepare(lambda _, __: VECTORS.sample(3, Random(0)))
