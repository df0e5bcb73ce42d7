"""The controller: its samples have the probabilities that it says."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from search.strategies.controller import Controller, entropy, log_probability

CHOICES = (2, 3, 2)
ALL = torch.tensor(list(product(*map(range, CHOICES))))


@pytest.fixture
def decided() -> Controller:
    """A controller with preferences that depend on earlier slots."""
    controller = Controller(CHOICES, seed=0)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        for parameter in controller.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.4)
    return controller


def probabilities(controller: Controller) -> torch.Tensor:
    """Of all architectures."""
    with torch.no_grad():
        return log_probability(controller.log_probabilities(ALL), ALL).sum(dim=1).exp()


def test_the_probabilities_of_all_architectures_add_up_to_one(decided: Controller) -> None:
    assert probabilities(decided).sum().item() == pytest.approx(1.0, abs=1e-5)


def test_samples_are_as_frequent_as_they_are_probable(decided: Controller) -> None:
    rows = decided.sample(6000, torch.Generator().manual_seed(0)).tolist()
    expected = probabilities(decided)
    assert expected.max() > 3 * expected.min()
    for row, probability in zip(ALL.tolist(), expected.tolist(), strict=True):
        assert rows.count(row) / 6000 == pytest.approx(probability, abs=4 * (probability / 6000) ** 0.5)


def test_a_choice_depends_on_the_choice_before(decided: Controller) -> None:
    with torch.no_grad():
        table = decided.log_probabilities(torch.tensor([[0, 0, 0], [1, 0, 0]]))
    assert torch.equal(table[0, 0], table[1, 0])
    assert not torch.allclose(table[0, 1], table[1, 1], atol=1e-3)


def test_a_new_controller_is_nearly_undecided() -> None:
    with torch.no_grad():
        found = entropy(Controller(CHOICES, seed=3).log_probabilities(ALL))
    assert torch.allclose(found, torch.tensor(CHOICES).log().expand_as(found), atol=0.01)


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (Controller(CHOICES, seed=seed) for seed in (4, 4, 5))
    samples = [each.sample(50, torch.Generator().manual_seed(0)) for each in (first, again, other)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(samples[0], samples[1])
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
