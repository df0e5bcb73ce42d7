from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.folder import read_folder, write_folder
from latency.predictors.transfer.in_context import InContextTransformer
from latency.predictors.transfer.in_context_training import InContextSettings
from latseg.testing.synthetic import random_graphs

SETTINGS = InContextSettings(width=16, layers=1, steps=150, nets=40, devices=4, queries=12)

_READ_IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from tests.latency.predictors.transfer import test_in_context as tests
transformer = tests.read(Path(sys.argv[1]))
context, _ = transformer.condition(*tests.new_device(10))
print(json.dumps(transformer.predict(context, tests.random_graphs(8, 99)).tolist()))
"""


def latencies(graphs: list[OperatorGraph], seed: int) -> np.ndarray:
    """A device with a cost of its own for each key."""
    table, random, costs = OperatorTable(), np.random.default_rng(seed), {}
    keys = [[table.features[row].key for row in table.rows(graph)] for graph in graphs]
    for key in sorted({key for net in keys for key in net}):
        costs[key] = float(np.exp(1.2 * random.standard_normal()))
    return np.array([sum(costs[key] for key in net) for net in keys])


@cache
def transformer() -> InContextTransformer:
    graphs = random_graphs(80, 0)
    return InContextTransformer.learn(graphs, np.array([latencies(graphs, seed) for seed in range(4)]), SETTINGS)


def new_device(count: int) -> tuple[list[OperatorGraph], np.ndarray]:
    graphs = random_graphs(count + 40, 7)
    return graphs[:count], latencies(graphs, 11)[:count]


def read(folder: Path) -> InContextTransformer:
    return InContextTransformer.restored(*read_folder(folder, "transformer"))


def test_a_new_device_is_predicted_better_than_by_its_mean() -> None:
    graphs = random_graphs(60, 7)
    truth = latencies(graphs, 11)
    context, left_out = transformer().condition(graphs[:20], truth[:20])
    predicted = transformer().predict(context, graphs[20:])
    assert spearmanr(predicted, truth[20:]).statistic > 0.8
    assert np.abs(predicted / truth[20:] - 1).mean() < 0.5 * np.abs(truth[:20].mean() / truth[20:] - 1).mean()
    assert np.abs(left_out / truth[:20] - 1).mean() < 0.5 * np.abs(truth[:20].mean() / truth[:20] - 1).mean()


def test_the_order_of_the_samples_changes_nothing() -> None:
    graphs, latency_ms = new_device(12)
    queries = random_graphs(8, 99)
    context, left_out = transformer().condition(graphs, latency_ms)
    turned, turned_out = transformer().condition(graphs[::-1], latency_ms[::-1])
    assert transformer().predict(turned, queries) == pytest.approx(transformer().predict(context, queries), rel=1e-5)
    assert turned_out[::-1] == pytest.approx(left_out, rel=1e-5)


def test_left_out_is_what_conditioning_without_it_predicts() -> None:
    graphs, latency_ms = new_device(8)
    _, left_out = transformer().condition(graphs, latency_ms)
    without, _ = transformer().condition(graphs[1:], latency_ms[1:])
    assert transformer().predict(without, graphs[:1]) == pytest.approx(left_out[:1], rel=1e-5)


def test_the_unit_of_the_latencies_is_that_of_the_predictions() -> None:
    graphs, latency_ms = new_device(12)
    queries = random_graphs(8, 99)
    first, second = (
        transformer().predict(transformer().condition(graphs, unit * latency_ms)[0], queries) for unit in (1, 1000)
    )
    assert second == pytest.approx(1000 * first, rel=1e-5)


def test_the_same_in_another_process(tmp_path: Path) -> None:
    import json

    document, arrays = transformer().document()
    write_folder(tmp_path, "transformer", document, arrays)
    arguments = [sys.executable, "-c", _READ_IN_ANOTHER_PROCESS, str(tmp_path)]
    run = subprocess.run(arguments, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=True)
    context, _ = transformer().condition(*new_device(10))
    assert json.loads(run.stdout) == pytest.approx(transformer().predict(context, random_graphs(8, 99)), rel=1e-6)


SMALL = InContextSettings(width=8, heads=2, layers=1, steps=4, nets=18, devices=2, queries=4, average=0.3)
CHANGES = {
    "width": 16,
    "heads": 1,
    "layers": 2,
    "steps": 5,
    "nets": 12,
    "devices": 3,
    "queries": 3,
    "rate": 1e-2,
    "weight_decay": 0.5,
    "average": 0.1,
    "beta": 0.5,
}


@cache
def learned_with(settings: InContextSettings) -> list[float]:
    graphs = random_graphs(20, 0)
    measured = np.array([latencies(graphs, seed) for seed in range(2)])
    learned = InContextTransformer.learn(graphs, measured, settings, seed=5)
    context, _ = learned.condition(graphs[:6], measured[0, :6])
    return learned.predict(context, graphs).tolist()


@pytest.mark.parametrize("name", [field.name for field in fields(InContextSettings)])
def test_every_setting_changes_the_transformer(name: str) -> None:
    assert learned_with(replace(SMALL, **{name: CHANGES[name]})) != learned_with(SMALL)


def test_the_same_seed_gives_the_same_transformer() -> None:
    again = learned_with.__wrapped__(SMALL)
    assert again == pytest.approx(learned_with(SMALL), rel=1e-6)
