"""Single-operator models beside nets: their part of the training, and the overhead of a run that they tell."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from latency.predictors.attention import training
from latency.predictors.attention.member import _overhead_ms
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latency.predictors.encoding.operator_table import OperatorTable
from latency.sample import KernelTime, LatencySample
from latseg.testing.synthetic import measured, random_graphs, single_operators

NETS = measured(random_graphs(20, 0))
SINGLE = single_operators(random_graphs(20, 0), 60, 1)
TYPICAL_MS = float(np.median([net.latency_ms for net in NETS]))


def costing(sample: LatencySample, beside_ms: float) -> LatencySample:
    """A single operator whose model takes so much beside its kernel."""
    return replace(sample, latency_ms=1.0 + beside_ms, kernels=(KernelTime((0,), 1.0),))


def test_nets_keep_most_of_the_steps_and_every_operator_has_its_turn() -> None:
    table = OperatorTable()
    for sample in (*NETS, *SINGLE):
        table.rows(sample.graph)
    settings, generator = TrainingSettings(), np.random.default_rng(0)
    chunks = list(islice(training._endless([*NETS, *SINGLE], table, settings, generator), 1000))
    whole = sum(int(chunk.whole.sum()) for chunk in chunks)
    assert 0 < sum(len(chunk.whole) for chunk in chunks) - whole <= 0.6 * whole
    seen = {
        row
        for chunk in chunks
        for row, net in zip(chunk.rows[:, 0].tolist(), chunk.whole.tolist(), strict=True)
        if not net
    }
    assert len(seen) > 2 * 10


@pytest.mark.parametrize(
    ("beside_ms", "count", "known"),
    [
        (0.0004 * TYPICAL_MS, 40, True),
        (0.0004 * TYPICAL_MS, 19, False),
        (0.1 * TYPICAL_MS, 40, False),
        (0.0, 40, False),
    ],
    ids=["small models", "too few", "large models", "no time"],
)
def test_small_models_of_one_operator_tell_the_overhead(beside_ms: float, count: int, known: bool) -> None:
    single = [costing(sample, beside_ms * (1 + place / 10)) for place, sample in enumerate(SINGLE[:count])]
    overhead_ms, found = _overhead_ms([*NETS, *single])
    assert found == known
    assert (overhead_ms == pytest.approx(beside_ms, rel=0.5)) == known


def test_a_known_overhead_stays() -> None:
    single = [costing(sample, 0.0004 * TYPICAL_MS) for sample in SINGLE]
    predictor = AttentionPredictor(TrainingSettings(width=8, steps=20), members=2)
    predictor.fit([*NETS, *single])
    for member in predictor._members:
        assert float(member.network.log_constant.detach().exp()) == pytest.approx(0.0004 * TYPICAL_MS)
