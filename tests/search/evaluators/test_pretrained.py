"""The evaluator that needs no training in a search."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from scipy.stats import spearmanr
from typing_extensions import override

from foundation.errors import UserError
from latseg.testing.evaluator_contract import EvaluatorContract
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.pretrained import PretrainedEvaluator
from search.evaluators.registry import default_evaluator, make_evaluator
from search.options import DataOptions
from search.spaces.portrait.space import PortraitSpace
from search.spaces.trained_nets import TrainedNets
from search.tasks.task import TaskOptions
from segmentation.portrait.slots import SIZES
from tests.search.vectors import VectorSpace

PORTRAIT = PortraitSpace(sizes=((128, 128),))


def make(folder: Path, space: PortraitSpace = PORTRAIT) -> PretrainedEvaluator:
    task = space.make_task(TaskOptions(DataOptions(source="synthetic:8")))
    evaluator = make_evaluator("pretrained", space, task, folder=folder)
    assert isinstance(evaluator, PretrainedEvaluator)
    return evaluator


def prepared(folder: Path, space: PortraitSpace = PORTRAIT) -> PretrainedEvaluator:
    evaluator = make(folder, space)
    evaluator.prepare(feasible_sampler(space, Budgets(ParameterBudget(400_000))))
    return evaluator


class TestPretrainedEvaluator(EvaluatorContract):
    maximum_parameters = 400_000

    def make(self, folder: Path) -> PretrainedEvaluator:
        return make(folder)


def known() -> TrainedNets:
    found = PORTRAIT.trained_nets()
    assert found is not None
    return found


class PortraitOf(PortraitSpace):
    """``portrait`` with other nets trained in advance."""

    known: TrainedNets

    @override
    def trained_nets(self) -> TrainedNets:
        return self.known


class Untrained(PortraitSpace):
    """``portrait`` without nets trained in advance."""

    @override
    def trained_nets(self) -> None:
        return None


def test_nets_that_it_does_not_know_are_ranked(tmp_path: Path) -> None:
    everything, space = known(), PortraitOf(sizes=((128, 128),))
    space.known = TrainedNets(everything.nets[::2], everything.qualities[::2])
    estimates = prepared(tmp_path, space).quality(everything.nets[1::2])
    assert spearmanr(estimates, everything.qualities[1::2]).statistic > 0.7


def test_a_net_gains_alike_from_each_doubling_of_its_pixels(tmp_path: Path) -> None:
    evaluator = prepared(tmp_path, PortraitSpace())
    nets = PORTRAIT.sample(20, Random(1))
    larger = [net.replaced({"size": SIZES.index((256, 256))}) for net in nets]
    gains = np.subtract(evaluator.quality(larger), evaluator.quality(nets))
    assert known().gain_per_doubling > 0
    assert np.median(gains) == pytest.approx(2 * known().gain_per_doubling, abs=0.003)


def test_nothing_is_trained_or_written(tmp_path: Path) -> None:
    evaluator = prepared(tmp_path)
    assert evaluator.weights(PORTRAIT.sample(1, Random(0))[0]) is None
    assert not list(tmp_path.iterdir())


def test_a_space_without_nets_trained_in_advance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pretrained.*trained in advance.*training"):
        PretrainedEvaluator(VectorSpace(classes=3), None, folder=tmp_path)  # type: ignore[arg-type]


def test_the_default_is_what_the_space_has() -> None:
    assert default_evaluator(PORTRAIT) == default_evaluator(PortraitSpace(5)) == "pretrained"
    assert default_evaluator(Untrained()) == "regression"
    assert default_evaluator(VectorSpace(classes=3)) == "training"


def test_known_nets_are_members_of_the_space() -> None:
    for net in known().nets:
        PORTRAIT.validate(net)


def test_the_file_is_what_was_written(tmp_path: Path) -> None:
    known().write(tmp_path / "nets.json")
    assert TrainedNets.read(tmp_path / "nets.json") == known()
