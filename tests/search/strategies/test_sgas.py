"""Which slot is decided next, and what is proposed afterwards."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch

from foundation.errors import UserError
from search.constraints.feasible_sampler import feasible_sampler
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import Slot
from search.strategies.registry import make_strategy
from search.strategies.sgas import SGAS, SequentialGates
from tests.search.strategies.gates_task import TaskEvaluator
from tests.search.strategies.test_gates import budgets
from tests.search.toy import ToySpace

SLOTS = (Slot("skip", 2, optional=True), Slot("width", 3), Slot("kernel", 3), Slot("fixed", 1))


def gates(rows: list[list[float]], window: int = 2, criterion: int = 1) -> SequentialGates:
    """With these probabilities, which the history does not know yet."""
    found = SequentialGates(SLOTS, window, criterion)
    found.logits.data = torch.tensor(rows).log()
    return found


ROWS = [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]


def test_importance_is_the_probability_of_something() -> None:
    torch.testing.assert_close(gates(ROWS).importance(), torch.tensor([0.1, 1.0, 1.0, 1.0]))


def test_certainty_is_one_minus_the_normalised_entropy() -> None:
    even = gates([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(even.certainty(), torch.tensor([0.0, 0.0, 1.0, 1.0]), atol=1e-6, rtol=0)
    half = gates([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).certainty()[1]
    assert half.item() == pytest.approx(1 - math.log(2) / math.log(3))


def test_stability_is_the_mean_intersection_with_the_remembered_probabilities() -> None:
    found = gates(ROWS)
    third = 1 / 3
    assert found.stability()[1].item() == pytest.approx(third + 0.1 + 0.1), "at first all are as untrained"
    found.remember()
    assert found.stability()[1].item() == pytest.approx((third + 0.2 + 1) / 2)
    found.remember()
    torch.testing.assert_close(found.stability(), torch.ones(4))


def test_the_most_important_and_certain_slot_is_decided_for_its_most_probable_choice() -> None:
    found = gates(ROWS)
    found.decide_next()
    assert found.undecided.tolist() == [True, False, True, False]
    assert found.probabilities()[1].tolist() == [1.0, 0.0, 0.0]
    found.decide_next()
    found.decide_next()
    assert not found.undecided.any()
    assert found.probabilities().argmax(1).tolist() == [0, 0, 0, 0], "a slot that is left over may become nothing"
    found.decide_next()


def test_criterion_2_waits_for_stability() -> None:
    decided = []
    for criterion in (1, 2):
        found = gates([[0.5, 0.5, 0.0], [0.1, 0.8, 0.1], [0.25, 0.7, 0.05], [1.0, 0.0, 0.0]], 2, criterion)
        found.history[:, 2] = torch.tensor([0.25, 0.7, 0.05])
        found.decide_next()
        decided.append((~found.undecided).tolist())
    assert decided == [[False, True, False, True], [False, False, True, True]]


def test_slots_of_the_portrait_space_know_nothing() -> None:
    slots = {slot.name: slot.optional for slot in PortraitSpace().slots}
    assert {name for name, optional in slots.items() if optional and not name.endswith("squeeze")} == {
        *(f"stage{stage}.depth" for stage in range(1, 6)),
        *(f"skip.{source}" for source in ("stem", "stage1", "stage2", "stage3", "stage4")),
        "context",
    }
    assert sum(slots.values()) == 5 + 5 + 1 + 20


def trained(folder: Path, text: str) -> SGAS:
    strategy = make_strategy(text, ToySpace(), budgets(), seed=0)
    assert isinstance(strategy, SGAS)
    strategy.prepare(TaskEvaluator(folder), feasible_sampler(ToySpace(), budgets()))
    return strategy


@pytest.fixture(autouse=True)
def few_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.strategies.gates.budget_costs._NETS", 100)


def test_slots_are_decided_at_intervals_until_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    remember = SequentialGates.remember

    def recording(self: SequentialGates) -> None:
        left.append(int(self.undecided.sum()))
        remember(self)

    monkeypatch.setattr(SequentialGates, "remember", recording)
    monkeypatch.setattr("segmentation.supernet.training.SupernetTraining.step", lambda *_: 0.0)
    trained(tmp_path, "sgas:warmup=0,paths=2,delay=3,every=2")
    assert left == [10, 10, 10, *(count for decided in range(1, 11) for count in (11 - decided, 10 - decided))]


def test_the_window_and_the_criterion_are_options(tmp_path: Path) -> None:
    strategy = make_strategy("sgas:window=7,criterion=1", ToySpace(), budgets())
    assert isinstance(strategy, SGAS)
    gates, _ = strategy._new_gates()
    assert isinstance(gates, SequentialGates)
    assert gates.history.shape[0] == 7
    gates.history.zero_()
    gates.logits.data[3, 1] = 2.0
    gates.history[:, 4] = 1.0
    assert gates.scores()[3] == gates.scores().max(), "criterion 1 does not look at the history"
    with pytest.raises(UserError, match="criterion"):
        make_strategy("sgas:criterion=3", ToySpace(), budgets())


def test_the_decided_net_comes_first_and_neighbours_of_it_follow(tmp_path: Path) -> None:
    strategy = trained(tmp_path, "sgas:warmup=0,paths=2,delay=0,every=1")
    gates = strategy._gates
    assert gates is not None
    decided = gates.probabilities().argmax(1).tolist()
    names = [slot.name for slot in ToySpace().slots]
    assert strategy.ask(60)[0] == ToySpace().nearest(dict(zip(names, decided, strict=True)))
    rows = gates.free_probabilities().tolist()
    rows[0] = [0.0, 0.0, 0.0, 0.0]
    rows[0][decided[0]] = 1.0
    certain = rows[1]
    certain[:] = [0.001 if choice != decided[1] else 0.997 for choice in range(4)]
    first, *others = islice(strategy._candidates(gates, rows, Random(0)), 401)
    assert first == decided
    changed = [[old != new for old, new in zip(decided, other, strict=True)] for other in others]
    assert 160 < sum(sum(each) == 1 for each in changed) < 240
    assert 70 < sum(sum(each) == 2 for each in changed) < 130
    by_slot = [sum(each) for each in zip(*changed, strict=True)]
    assert by_slot[0] == 0, "nothing else is possible"
    assert by_slot[1] < min(by_slot[2:]) / 2
