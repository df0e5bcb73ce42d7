from __future__ import annotations

import numpy as np
import pytest

from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.transfer.net_process import NetProcess
from latency.sample import LatencySample
from latseg.testing.synthetic import random_graphs

NETS = 60
GRAPHS = random_graphs(2 * NETS, 3)
"""Half of them are kept back."""
LATENCY_MS = np.array([0.2 + sum(op.flops * 2e-8 + op.bytes_written * 3e-7 for op in g.operators) for g in GRAPHS])


def test_a_sum_over_work_is_learned_from_few_nets() -> None:
    groups = NetGroups.learn(GRAPHS[:NETS])
    process, _ = NetProcess.fit(groups.encode(GRAPHS[:NETS]), groups.group, LATENCY_MS[:NETS], seed=0)
    trees = BoostedTreesPredictor()
    trees.fit([LatencySample(str(n), GRAPHS[n], float(LATENCY_MS[n])) for n in range(NETS)])
    predictions = [process.predict(groups.encode(GRAPHS[NETS:])), [p.latency_ms for p in trees.predict(GRAPHS[NETS:])]]
    errors = [np.mean(np.abs(predicted / LATENCY_MS[NETS:] - 1)) for predicted in predictions]
    assert errors[0] < 0.02
    assert errors[0] < 0.5 * errors[1]


def test_leave_one_out_is_what_fitting_without_it_predicts() -> None:
    groups = NetGroups.learn(GRAPHS[:NETS])
    net = groups.encode(GRAPHS[:NETS])
    noisy = LATENCY_MS[:NETS] * np.exp(0.1 * np.random.default_rng(1).standard_normal(NETS))
    _, left_out = NetProcess.fit(net, groups.group, noisy, seed=0)
    others = np.delete(np.arange(NETS), 7)
    without, _ = NetProcess.fit(net[others], groups.group, noisy[others], seed=0)
    assert left_out[7] == pytest.approx(without.predict(net[7:8])[0], rel=0.05)
    assert left_out[7] != pytest.approx(noisy[7], rel=0.001)
