from __future__ import annotations

import numpy as np
import pytest

from latency.campaign_items import POOL, choose_nets
from latency.fit import FEW_NETS
from latency.operators.operator import OperatorGraph
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.informative_nets import _process, informative_nets
from latency.predictors.transfer.views import VIEWS
from latseg.testing.synthetic import log_errors, random_graphs
from tests.latency.predictors.transfer.test_few_samples import device, prior


def drawn(count: int) -> list[OperatorGraph]:
    return random_graphs(POOL, 11)[:count]


def test_different_nets_of_all_latencies_but_the_extreme_ones() -> None:
    graphs = drawn(200)
    chosen = informative_nets(prior(), graphs, 20)
    assert len(set(chosen)) == 20
    assert chosen == informative_nets(prior(), graphs, 20)
    expected = np.mean(
        [
            [one.latency_ms for one in source]
            for source in prior().source_predictions(graphs, prior().groups.encode(graphs))
        ],
        axis=0,
    )
    rank = np.argsort(np.argsort(expected))[chosen]
    # The order of the sources' mean is not quite that of their relative mean, so a little room at the ends.
    assert rank.min() >= 10
    assert rank.max() < 190
    assert rank.min() < 50
    assert rank.max() >= 150


def test_of_many_nets_the_extreme_ones_are_measured_too() -> None:
    graphs = drawn(200)
    chosen = informative_nets(prior(), graphs, 40)
    expected = np.mean(
        [
            [one.latency_ms for one in source]
            for source in prior().source_predictions(graphs, prior().groups.encode(graphs))
        ],
        axis=0,
    )
    rank = np.argsort(np.argsort(expected))[chosen]
    assert rank.min() < 15
    assert rank.max() >= 185


def test_small_pools_are_taken_whole() -> None:
    assert informative_nets(prior(), drawn(5), 8) == [0, 1, 2, 3, 4]


def processes(graphs: list[OperatorGraph]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Covariance and noise of the nets in each view."""
    encoded = prior().groups.encode(graphs)
    source_ms = np.array([[one.latency_ms for one in each] for each in prior().source_predictions(graphs, encoded)]).T
    return [_process(prior(), view, encoded, source_ms) for view in VIEWS]


def variance_left(views: list[tuple[np.ndarray, np.ndarray]], chosen: list[int]) -> float:
    """Mean variance of all nets after the chosen ones are measured, summed over the views (the closed form)."""
    total = 0.0
    for covariance, noise in views:
        known = covariance[np.ix_(chosen, chosen)] + np.diag(noise[chosen])
        left = covariance - covariance[:, chosen] @ np.linalg.solve(known, covariance[chosen])
        total += float(left.diagonal().mean())
    return total


def test_chosen_nets_leave_less_variance_than_any_random_draw() -> None:
    graphs, random = drawn(120), np.random.default_rng(0)
    chosen, views = informative_nets(prior(), graphs, 6), processes(graphs)
    draws = [variance_left(views, random.permutation(len(graphs))[:6].tolist()) for _ in range(30)]
    assert variance_left(views, chosen) < min(draws)
    assert variance_left(views, chosen[:3]) > variance_left(views, chosen)


@pytest.mark.long
def test_chosen_nets_give_smaller_errors_than_drawn_ones() -> None:
    """On average: a single device may be an exception."""
    graphs = drawn(300)
    chosen = [graphs[position] for position in informative_nets(prior(), graphs, 10)]
    others = [graphs[start : start + 10] for start in range(0, 50, 10)]
    errors = []
    for name in ("yellow", "violet", "orange", "pink", "brown", "grey", "white", "black"):
        fresh = device(name, random_graphs(60, 7))
        row = []
        for nets in (chosen, *others):
            predictor = FewSamplesPredictor(prior())
            predictor.fit(device(name, nets))
            predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in fresh])]
            row.append(float(np.mean(log_errors(predicted, [sample.latency_ms for sample in fresh]))))
        errors.append((row[0], np.median(row[1:])))
    of_chosen, of_drawn = np.mean(errors, axis=0)
    assert of_chosen < 0.9 * of_drawn


def test_a_campaign_draws_many_nets_and_chooses_few() -> None:
    few = choose_nets(drawn, 12, prior)
    assert few.chosen
    assert len(few.graphs) == 12
    assert few.graphs != drawn(12)
    for count, known in ((12, None), (FEW_NETS + 1, prior())):
        found = choose_nets(drawn, count, lambda known=known: known)
        assert not found.chosen
        assert found.graphs == drawn(count)
