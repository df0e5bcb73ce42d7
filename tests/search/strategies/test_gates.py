"""Gates, what their choices cost, and how they give way to other budgets."""

from __future__ import annotations

from random import Random

import pytest
import torch

from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.spaces.space import Slot
from search.strategies.gates.budget_costs import BudgetCosts, fit_costs
from search.strategies.gates.gates import Gates, sampled
from tests.search.toy import FormulaPredictor, ToySpace

SLOTS = (Slot("depth", 3, optional=True), Slot("width", 2))


def budgets(maximum_ms: float = 3.0, bias: float = 1.0) -> Budgets:
    return Budgets(ParameterBudget(12_000), (LatencyBudget("toy", maximum_ms, FormulaPredictor(bias=bias)),))


def test_gates_begin_equal_over_the_choices_that_exist() -> None:
    expected = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0.0]])
    torch.testing.assert_close(Gates(SLOTS).probabilities(), expected)


def test_log_probability_is_that_of_independent_slots() -> None:
    gates = Gates(SLOTS)
    gates.logits.data[0] = torch.tensor([0.0, 1.0, 2.0])
    rows = gates.probabilities()
    found = gates.log_probability(torch.tensor([[2, 0], [0, 1]]))
    torch.testing.assert_close(found.exp(), torch.stack([rows[0, 2] * rows[1, 0], rows[0, 0] * rows[1, 1]]))


def test_a_decided_slot_is_certain_and_remembers_what_it_was() -> None:
    gates = Gates(SLOTS)
    gates.logits.data[0] = torch.tensor([0.0, 1.0, 2.0])
    before = gates.probabilities().detach()
    gates.decide(0, 1)
    assert gates.probabilities()[0].tolist() == [0.0, 1.0, 0.0]
    assert gates.undecided.tolist() == [False, True]
    torch.testing.assert_close(gates.free_probabilities(), before)
    gates.log_probability(torch.tensor([[1, 0]])).sum().backward()
    assert gates.logits.grad is not None
    assert gates.logits.grad[0].tolist() == [0.0, 0.0, 0.0]
    assert torch.isfinite(gates.logits.grad).all()


def test_choices_are_sampled_by_their_probability() -> None:
    rng = Random(0)
    nets = [sampled([[0.7, 0.0, 0.3], [1.0, 0.0, 0.0]], rng) for _ in range(400)]
    assert {tuple(net) for net in nets} == {(0, 0), (2, 0)}
    assert 240 < sum(net[0] == 0 for net in nets) < 320


def test_costs_are_those_of_random_nets() -> None:
    """Choices of nets that the fit never saw predict their bounds."""
    space, costs = ToySpace(), fit_costs(ToySpace(), budgets(), seed=0)
    assert costs.names == ("parameters", "latency:toy")
    assert min(costs.fit) > 0.6
    rng = Random("others")
    choices = [[rng.randrange(slot.choices) for slot in space.slots] for _ in range(300)]
    names = [slot.name for slot in space.slots]
    nets = [space.nearest(dict(zip(names, net, strict=True))) for net in choices]
    checks = budgets().check_many(space, nets, predict_all=True)
    true = torch.tensor([list(budgets().ratios(check.parameters, check.upper_ms).values()) for check in checks]).log()
    one_hot = torch.nn.functional.one_hot(torch.tensor(choices), costs.effects.shape[2]).float()
    found = torch.stack([costs.expected(net) for net in one_hot])
    unexplained = ((found - true) ** 2).mean(0) / true.var(0)
    assert (1 - unexplained).tolist() == pytest.approx(costs.fit, abs=0.12)
    torch.testing.assert_close(costs.expected(Gates(space.slots).probabilities()), true.mean(0), atol=0.1, rtol=0)


def test_costs_follow_the_budgets() -> None:
    space = ToySpace()
    even = Gates(space.slots).probabilities()
    first, halved = (fit_costs(space, budgets(ms), seed=0).expected(even) for ms in (3.0, 1.5))
    torch.testing.assert_close((halved - first).exp(), torch.tensor([1.0, 2.0]), atol=1e-3, rtol=0)


def test_without_budgets_nothing_costs() -> None:
    costs = fit_costs(ToySpace(), Budgets(), seed=0)
    assert costs.expected(Gates(ToySpace().slots).probabilities()).tolist() == []
    assert costs.describe() == ""


def test_gates_give_way_as_little_as_the_limit_needs() -> None:
    effects = torch.tensor([[[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]])
    costs = BudgetCosts(("latency:toy",), torch.tensor([0.5]), effects, (1.0,))
    rows = Gates(SLOTS).free_probabilities()
    assert costs.within(rows, 1.5) is rows
    found = costs.within(rows, 1.0)
    assert float(costs.expected(found)[0]) == pytest.approx(1.0, abs=1e-4)
    assert found[0, 0] > found[0, 1] > found[0, 2] > 0
    torch.testing.assert_close(found[0, 0] / found[0, 1], found[0, 1] / found[0, 2])
    torch.testing.assert_close(found[1], rows[1])
    assert costs.within(rows, -9.0)[0].tolist() == pytest.approx([1.0, 0.0, 0.0]), "the cheapest, where none suffices"
