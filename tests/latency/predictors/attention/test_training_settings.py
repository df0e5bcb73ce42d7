from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import pytest

from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latseg.testing.synthetic import measured, random_graphs, single_operators

GRAPHS = random_graphs(12, 0)
SAMPLES = [*measured(GRAPHS), *single_operators(GRAPHS, 4, 1)]
SMALL = TrainingSettings(width=8, steps=6)
CHANGES = {
    "width": 16,
    "layers": 2,
    "heads": 1,
    "limit": 0.01,
    "steps": 7,
    "batch": 2,
    "rate": 1e-2,
    "weight_decay": 0.5,
    "average": 0.5,
    "kernel_weight": 30.0,
    "isolated_weight": 0.01,
    "beta": 0.5,
}


@cache
def predictions(settings: TrainingSettings) -> list[float]:
    predictor = AttentionPredictor(settings, members=2)
    predictor.fit(SAMPLES, seed=1)
    return [prediction.latency_ms for prediction in predictor.predict(GRAPHS)]


def test_no_field_is_left_out() -> None:
    assert set(CHANGES) == {field.name for field in fields(TrainingSettings)}


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_changes_the_predictor(name: str) -> None:
    assert predictions(replace(SMALL, **{name: CHANGES[name]})) != predictions(SMALL)
