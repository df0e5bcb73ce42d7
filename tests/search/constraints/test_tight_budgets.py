"""Budgets that leave one net in many thousands: a search ends with such nets, or with what it looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from foundation.progress import OnProgress, ignore_progress
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler
from search.constraints.infeasible import InfeasibleError
from search.evaluators.evaluator import Evaluator
from search.loop import SearchResult, run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import SearchSpace
from search.strategies.registry import make_strategy
from search.trials import TrialStore
from tests.search.toy import CHOICES, STAGES, Bounded, FormulaPredictor, ToySpace, canonical

TOY, PORTRAIT = ToySpace(), PortraitSpace(sizes=((128, 128),))
SETTINGS = SearchSettings(trials=40, winners=1, feasibility_samples=60)
TOY_PREDICTIONS, PORTRAIT_PREDICTIONS = 6000, 6000
"""Most nets that a search predicts where its budgets leave next to nothing."""
SMALLEST = TOY.smallest()[0]
DEEPEST = canonical({**dict.fromkeys(CHOICES, 0), **{f"depth{stage}": 3 for stage in range(STAGES)}})
"""The smallest of the nets with every block; three nets, one of each input size, have its layers."""
WITHOUT_LIMIT = 10**9


@dataclass
class Counted:
    """A predictor that counts the nets."""

    inner: object = field(default_factory=FormulaPredictor)
    nets: int = 0

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        self.nets += len(graphs)
        return list(self.inner.predict(graphs))  # type: ignore[attr-defined]


class MoreIsFaster:
    """One millisecond, and another one for every operator that the deepest net has and this one has not."""

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        most = len(TOY.lower(DEEPEST).operators)
        return [Bounded(ms, ms) for ms in (1.0 + most - len(graph.operators) for graph in graphs)]


class Larger(Evaluator):
    """The more parameters, the better."""

    name = "larger"

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        assert sampler

    def weights(self, architecture: Architecture) -> None:
        return None

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        return [1 - 1 / (1 + self.space.parameters(one)) for one in architectures]

    def qualities(self, architectures: Sequence[Architecture]) -> Iterator[float]:
        yield from self.quality(architectures)


def bound_ms(space: SearchSpace, architecture: Architecture) -> float:
    return FormulaPredictor().predict([space.lower(architecture)])[0].upper_ms


def search(folder: Path, space: SearchSpace, parameters: int, limits: dict[float, Counted]) -> SearchResult:
    latencies = (
        LatencyBudget(f"device{number}", ms, predictor) for number, (ms, predictor) in enumerate(limits.items())
    )
    budgets = Budgets(ParameterBudget(parameters), tuple(latencies))
    strategy = make_strategy("evolution:population=12", space, budgets)
    with TrialStore(folder / "trials.sqlite") as store:
        return run_search(space, budgets, Larger(space), strategy, store, SETTINGS)


@pytest.mark.parametrize(
    ("parameters", "factor"),
    [
        (WITHOUT_LIMIT, 1.0001),
        (TOY.parameters(SMALLEST), 100.0),
        (TOY.parameters(SMALLEST) + 200, 1.3),
        (TOY.parameters(SMALLEST), 1.0001),
    ],
)
def test_only_nets_near_the_smallest_are_left(tmp_path: Path, parameters: int, factor: float) -> None:
    predictor, limit = Counted(), factor * bound_ms(TOY, SMALLEST)
    result = search(tmp_path, TOY, parameters, {limit: predictor})
    assert SMALLEST in {trial.architecture for trial in result.trials}
    assert all(trial.parameters <= parameters and trial.upper_ms["device0"] <= limit for trial in result.trials)
    assert result.message.startswith("no new candidate keeps the budgets after")
    assert predictor.nets < TOY_PREDICTIONS


def test_three_nets_of_a_hundred_thousand_keep_budgets_that_pull_apart(tmp_path: Path) -> None:
    """Few parameters ask for small nets, the device for deep ones."""
    predictor = Counted(MoreIsFaster())
    result = search(tmp_path, TOY, TOY.parameters(DEEPEST), {1.5: predictor})
    layers = {tuple(choice for slot, choice in trial.architecture.choices if slot != "size") for trial in result.trials}
    assert layers == {tuple(choice for slot, choice in DEEPEST.choices if slot != "size")}
    assert len(result.trials) == 3
    assert TOY.size() > 100_000
    assert predictor.nets < TOY_PREDICTIONS


@pytest.mark.parametrize(
    ("parameters", "limits", "said"),
    [
        (TOY.parameters(SMALLEST) - 1, {9.0: Counted()}, "at least the smallest reachable 250 parameters"),
        (WITHOUT_LIMIT, {0.99 * bound_ms(TOY, SMALLEST): Counted()}, "smallest reachable 0.359 ms on device0"),
        (TOY.parameters(DEEPEST) - 1, {1.5: Counted(MoreIsFaster())}, "budgets taken together"),
        (
            WITHOUT_LIMIT,
            {2.5: Counted(MoreIsFaster()), 1.01 * bound_ms(TOY, SMALLEST): Counted()},
            "each on a net of its own; the closest net to all of them has",
        ),
    ],
)
def test_where_nothing_is_left_it_ends_with_the_evidence(
    tmp_path: Path, parameters: int, limits: dict[float, Counted], said: str
) -> None:
    with pytest.raises(InfeasibleError, match=said) as refused:
        search(tmp_path, TOY, parameters, limits)
    assert refused.value.exit_code == 3
    assert all(predictor.nets < TOY_PREDICTIONS for predictor in limits.values())


@pytest.mark.slow
def test_portrait_ends_with_its_smallest_nets_or_with_the_evidence(tmp_path: Path) -> None:
    smallest = min(PORTRAIT.smallest(), key=PORTRAIT.parameters)
    parameters, ms = PORTRAIT.parameters(smallest), bound_ms(PORTRAIT, smallest)
    predictor = Counted()
    result = search(tmp_path, PORTRAIT, parameters + 20, {1.05 * ms: predictor})
    assert smallest in {trial.architecture for trial in result.trials}
    assert all(trial.parameters <= parameters + 20 for trial in result.trials)
    assert predictor.nets < PORTRAIT_PREDICTIONS
    for below in ((parameters - 1, 1e6), (parameters, 0.9 * ms)):
        predictor.nets = 0
        with pytest.raises(InfeasibleError):
            search(tmp_path, PORTRAIT, below[0], {below[1]: predictor})
        assert predictor.nets < PORTRAIT_PREDICTIONS
