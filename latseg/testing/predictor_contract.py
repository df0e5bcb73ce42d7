"""Conformance suite of latency predictors: subclass ``PredictorContract`` and define how to make one."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictor import LatencyPredictor, Prediction
from latency.predictors.folder import SCHEMA, read_checked, read_folder, write_folder, write_json
from latency.sample import KernelTime, LatencySample
from latseg.testing.synthetic import measured, random_graphs, single_operators

FRESH = random_graphs(12, 99)

_READ_IN_ANOTHER_PROCESS = """
import importlib, json, sys
from pathlib import Path
from latseg.testing.synthetic import random_graphs
module, name, folder = sys.argv[1:]
predictor = getattr(importlib.import_module(module), name).load(Path(folder))
print(json.dumps([p.latency_ms for p in predictor.predict(random_graphs(12, 99))]))
"""


POOLED = (1, 16, 32, 32)
POOL = builders.operator("MaxPool", (("kernel_shape", (2, 2)), ("strides", (2, 2))), (POOLED,), ((1, 16, 16, 16),))


def training_samples(count: int = 24) -> list[LatencySample]:
    """Nets, some of their operators in isolation, and a pooling that no net has."""
    graphs = random_graphs(count, 1)
    pooling = OperatorGraph((POOL,), ((-1,),), (POOLED,))
    isolated = LatencySample("pooling", pooling, 0.02, (KernelTime((0,), 0.02),), single_operator=True)
    return [*measured(graphs), *single_operators(graphs, 10, 2), isolated]


def latencies(predictions: list[Prediction]) -> list[float]:
    return [prediction.latency_ms for prediction in predictions]


class PredictorContract:
    """The conformance suite."""

    @classmethod
    def make(cls) -> LatencyPredictor:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls) -> LatencyPredictor:
        predictor = cls.make()
        predictor.fit(training_samples(), seed=3)
        return predictor

    def test_predictions_are_positive_and_finite(self, fitted: LatencyPredictor) -> None:
        predictions = fitted.predict(FRESH)
        assert len(predictions) == len(FRESH)
        assert all(math.isfinite(ms) and ms > 0 for ms in latencies(predictions))

    def test_contributions_are_positive_and_add_up(self, fitted: LatencyPredictor) -> None:
        for graph, prediction in zip(FRESH, fitted.predict(FRESH), strict=True):
            assert len(prediction.operators_ms) == len(graph.operators)
            assert min(prediction.operators_ms) > 0
            assert prediction.overhead_ms >= 0
            total = sum(prediction.operators_ms) + prediction.overhead_ms
            assert total == pytest.approx(prediction.latency_ms, rel=1e-9)

    def test_order_and_company_in_a_batch_change_nothing(self, fitted: LatencyPredictor) -> None:
        together = latencies(fitted.predict(FRESH))
        backwards = latencies(fitted.predict(FRESH[::-1]))[::-1]
        single = [fitted.predict([graph])[0].latency_ms for graph in FRESH]
        assert backwards == pytest.approx(together, rel=1e-5)
        assert single == pytest.approx(together, rel=1e-5)

    def test_no_graphs_no_predictions(self, fitted: LatencyPredictor) -> None:
        assert fitted.predict([]) == []

    def test_a_graph_without_operators_costs_the_overhead(self, fitted: LatencyPredictor) -> None:
        (prediction,) = fitted.predict([OperatorGraph((), (), ((1, 3, 8, 8),))])
        assert prediction.operators_ms == ()
        assert prediction.latency_ms == pytest.approx(prediction.overhead_ms)

    def test_measured_operators_are_seen(self, fitted: LatencyPredictor) -> None:
        known = [sample.graph for sample in training_samples()]
        assert all(prediction.unseen == () for prediction in fitted.predict(known))

    def test_operators_measured_in_isolation_are_distinguished_from_those_within_nets(
        self, fitted: LatencyPredictor, tmp_path: Path
    ) -> None:
        """A pooling that was measured in isolation only, a convolution of the nets, and a kind never measured."""
        convolution = next(o for o in FRESH[0].operators if o.kind == "Conv")
        strange = builders.operator("Einsum", (("equation", "ij"),), (POOLED,), (POOLED,))
        inputs = (POOLED, convolution.input_shapes[0], POOLED)
        graph = OperatorGraph((POOL, convolution, strange), ((-1,), (-2,), (-3,)), inputs)
        fitted.save(tmp_path)
        for predictor in (fitted, type(fitted).load(tmp_path)):
            first, *_, last = predictor.predict([graph, *FRESH])
            assert (first.isolated, first.unseen) == ((0,), (2,))
            assert last.isolated == last.unseen == ()

    def test_operators_of_nets_are_not_isolated(self, fitted: LatencyPredictor) -> None:
        whole = [sample.graph for sample in training_samples() if not sample.single_operator]
        assert all(prediction.isolated == () for prediction in fitted.predict(whole))

    def test_the_same_after_save_and_load_in_another_process(self, fitted: LatencyPredictor, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        kind = type(fitted)
        arguments = [sys.executable, "-c", _READ_IN_ANOTHER_PROCESS, kind.__module__, kind.__name__, str(tmp_path)]
        root = Path(__file__).parents[2]
        run = subprocess.run(arguments, cwd=root, capture_output=True, text=True, check=True)
        assert json.loads(run.stdout) == pytest.approx(latencies(fitted.predict(FRESH)), rel=1e-6)

    def test_a_second_save_replaces_the_first(self, fitted: LatencyPredictor, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        fitted.save(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2

    def test_the_same_seed_gives_the_same_predictor(self, fitted: LatencyPredictor) -> None:
        again = self.make()
        again.fit(training_samples(), seed=3)
        assert latencies(again.predict(FRESH)) == pytest.approx(latencies(fitted.predict(FRESH)), rel=1e-6)

    def test_too_few_nets_are_refused(self) -> None:
        with pytest.raises(UserError, match="latseg profile --models"):
            self.make().fit(training_samples(3))

    def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="latseg fit"):
            type(self.make()).load(tmp_path / "nowhere")

    @pytest.mark.parametrize("suffix", [".json", ".safetensors"])
    def test_a_damaged_file_is_refused(self, fitted: LatencyPredictor, tmp_path: Path, suffix: str) -> None:
        fitted.save(tmp_path)
        path = next(path for path in tmp_path.iterdir() if path.suffix == suffix)
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        path.write_bytes(bytes(content[:middle]))
        with pytest.raises(UserError, match="latseg fit"):
            type(fitted).load(tmp_path)

    def test_numbers_that_are_not_finite_are_refused(self, fitted: LatencyPredictor, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        path = next(tmp_path.glob("*.json"))
        document, arrays = read_folder(tmp_path, path.stem)
        name = next((name for name, array in arrays.items() if array.dtype.kind == "f" and array.size), None)
        if name is None:
            pytest.skip("it keeps no floating-point arrays")
        arrays[name].flat[0] = np.nan
        write_folder(tmp_path, path.stem, document, arrays)
        with pytest.raises(UserError, match="not finite"):
            type(fitted).load(tmp_path)

    def test_another_schema_is_refused(self, fitted: LatencyPredictor, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        path = next(tmp_path.glob("*.json"))
        write_json(path, read_checked(path) | {"schema": SCHEMA + 1})
        with pytest.raises(UserError, match=f"schema {SCHEMA + 1}"):
            type(fitted).load(tmp_path)
