from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from latency.operators.operator import OperatorGraph
from latency.predictors.additive.operator_counts import operator_key
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
    keys = [[operator_key(table.features[row]) for row in table.rows(graph)] for graph in graphs]
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


def test_a_new_device_is_known_better_than_by_its_mean() -> None:
    graphs = random_graphs(60, 7)
    truth = latencies(graphs, 11)
    context, left_out = transformer().condition(graphs[:20], truth[:20])
    told = transformer().predict(context, graphs[20:])
    assert np.corrcoef(np.argsort(np.argsort(told)), np.argsort(np.argsort(truth[20:])))[0, 1] > 0.8
    assert np.abs(told / truth[20:] - 1).mean() < 0.5 * np.abs(truth[:20].mean() / truth[20:] - 1).mean()
    assert np.abs(left_out / truth[:20] - 1).mean() < 0.5 * np.abs(truth[:20].mean() / truth[:20] - 1).mean()


def test_the_order_of_the_samples_changes_nothing() -> None:
    graphs, latency_ms = new_device(12)
    asked = random_graphs(8, 99)
    context, left_out = transformer().condition(graphs, latency_ms)
    turned, turned_out = transformer().condition(graphs[::-1], latency_ms[::-1])
    assert transformer().predict(turned, asked) == pytest.approx(transformer().predict(context, asked), rel=1e-5)
    assert turned_out[::-1] == pytest.approx(left_out, rel=1e-5)


def test_left_out_is_what_conditioning_without_it_says() -> None:
    graphs, latency_ms = new_device(8)
    _, left_out = transformer().condition(graphs, latency_ms)
    without, _ = transformer().condition(graphs[1:], latency_ms[1:])
    assert transformer().predict(without, graphs[:1]) == pytest.approx(left_out[:1], rel=1e-5)


def test_the_unit_of_the_latencies_is_that_of_the_predictions() -> None:
    graphs, latency_ms = new_device(12)
    asked = random_graphs(8, 99)
    told = [transformer().predict(transformer().condition(graphs, unit * latency_ms)[0], asked) for unit in (1, 1000)]
    assert told[1] == pytest.approx(1000 * told[0], rel=1e-5)


def test_the_same_in_another_process(tmp_path: Path) -> None:
    import json

    document, arrays = transformer().document()
    write_folder(tmp_path, "transformer", document, arrays)
    arguments = [sys.executable, "-c", _READ_IN_ANOTHER_PROCESS, str(tmp_path)]
    run = subprocess.run(arguments, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=True)
    context, _ = transformer().condition(*new_device(10))
    assert json.loads(run.stdout) == pytest.approx(transformer().predict(context, random_graphs(8, 99)), rel=1e-6)


def test_the_same_seed_gives_the_same_transformer() -> None:
    graphs = random_graphs(20, 0)
    measured = np.array([latencies(graphs, seed) for seed in range(2)])
    few = InContextSettings(width=8, layers=1, steps=3)
    told = []
    for _ in range(2):
        learned = InContextTransformer.learn(graphs, measured, few, seed=5)
        context, _ = learned.condition(graphs[:6], measured[0, :6])
        told.append(learned.predict(context, graphs))
    assert told[0] == pytest.approx(told[1], rel=1e-6)
