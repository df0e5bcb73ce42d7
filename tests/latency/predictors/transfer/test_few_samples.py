from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from devices.device_info import DeviceInfo
from foundation.errors import UserError
from latency.fit import FEW_NETS, fit_device
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.arbitration import ArbitratedPredictor
from latency.predictors.attention.training import TrainingSettings
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.transfer import prior_folder
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.in_context import Context
from latency.predictors.transfer.in_context_training import InContextSettings
from latency.predictors.transfer.prior import Prior, SourceDevice
from latency.predictors.transfer.prior_folder import known_prior, load_prior, prior_for, save_prior
from latency.predictors.transfer.views import VIEWS
from latency.sample import LatencySample
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, random_graphs

NETS = 60
FEWER = 40
"""Where it does not matter how good the sources are."""
SHORT = InContextSettings(width=16, layers=1, steps=30, nets=40, devices=4)
INFO = DeviceInfo("red", "none", "none", "1.0", 1, "float32", simulated=True)


def device(name: str, graphs: list[OperatorGraph]) -> list[LatencySample]:
    """The usual law of latency, with a factor of the device's own for each kind of operator."""
    factor = {}
    random = Random(name)
    samples = []
    for sample in measured(graphs, noise=0.0):
        kernels = tuple(
            replace(
                kernel,
                ms=kernel.ms
                * factor.setdefault(sample.graph.operators[kernel.operators[0]].kind, random.uniform(0.3, 3)),
            )
            for kernel in sample.kernels
        )
        samples.append(replace(sample, latency_ms=sum(kernel.ms for kernel in kernels), kernels=kernels))
    return samples


@cache
def prior() -> Prior:
    names = ("red", "green", "blue")
    graphs = random_graphs(NETS, 0)
    devices = [SourceDevice(name, name, device(name, graphs)) for name in names]
    return Prior.learn(devices, steps=200, in_context=SHORT)


class TestFewSamplesContract(PredictorContract):
    @classmethod
    def make(cls) -> FewSamplesPredictor:
        return FewSamplesPredictor(prior())


@pytest.mark.parametrize("count", [10, 20])
def test_a_new_device_is_predicted_better_with_the_prior(count: int) -> None:
    fresh = device("yellow", random_graphs(40, 7))
    truth = [sample.latency_ms for sample in fresh]
    errors = []
    for predictor in (FewSamplesPredictor(prior()), LookupTablePredictor()):
        samples = [replace(sample, kernels=()) for sample in device("yellow", random_graphs(count, 5))]
        predictor.fit(samples)
        predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in fresh])]
        errors.append(np.mean(log_errors(predicted, truth)))
    assert errors[0] < 0.7 * errors[1]


def test_what_only_other_devices_measured_is_unseen() -> None:
    """The bound belongs to this device: an operator that only its sources measured is unseen here."""
    graphs = random_graphs(60, 5)
    without, with_gates = (
        [g for g in graphs if any(o.kind == "Mul" for o in g.operators) == has] for has in (False, True)
    )
    predictor = FewSamplesPredictor(prior())
    predictor.fit(device("yellow", without[:15]))
    (prediction,) = predictor.predict(with_gates[:1])
    gates = {place for place, operator in enumerate(with_gates[0].operators) if operator.kind == "Mul"}
    assert gates <= set(prediction.unseen)
    (known,) = prior().sources["red"].trees.predict(with_gates[:1])
    assert not gates & set(known.unseen), "or the test shows nothing"


def test_leave_one_out_is_what_fitting_without_it_predicts() -> None:
    samples = device("yellow", random_graphs(12, 5))
    predictor = FewSamplesPredictor(prior())
    predictor.fit(samples)
    without = FewSamplesPredictor(prior())
    without.fit([*samples[:3], *samples[4:]])
    (prediction,) = without.predict([samples[3].graph])
    ratio = samples[3].latency_ms / prediction.latency_ms
    assert predictor.out_of_fold[samples[3].label] == pytest.approx(ratio, rel=0.1)


class Oracle:
    """Takes the place of the in-context transformer: its predictions are exact."""

    def __init__(self, samples: list[LatencySample]) -> None:
        self.known = {graph_digest(sample.graph): sample.latency_ms for sample in samples}

    def condition(self, graphs: list[OperatorGraph], latency_ms: np.ndarray) -> tuple[Context, np.ndarray]:
        nothing = torch.zeros(1, 1)
        return Context(nothing, nothing, nothing, latency_ms[:1]), latency_ms

    def predict(self, context: Context, graphs: list[OperatorGraph]) -> np.ndarray:
        return np.array([self.known[graph_digest(graph)] for graph in graphs])


def test_the_predictions_of_the_transformer_count() -> None:
    """Random latencies, which only the oracle can predict."""
    random = Random(3)
    samples = [LatencySample(str(n), graph, random.uniform(1, 9)) for n, graph in enumerate(random_graphs(40, 7))]
    predictor = FewSamplesPredictor(replace(prior(), transformer=Oracle(samples)))
    predictor.fit(samples[:20])
    assert predictor.weights["in_context"] > 0.99
    predictions = [one.latency_ms for one in predictor.predict([sample.graph for sample in samples[20:]])]
    assert predictions == pytest.approx([sample.latency_ms for sample in samples[20:]], rel=0.02)
    assert list(predictor.out_of_fold.values()) == pytest.approx([1.0] * 20, rel=0.02)


def test_operator_counts_predict_a_device_whose_latency_is_their_sum() -> None:
    """A cost for each kind of operator that no source has."""
    table, random, costs = OperatorTable(), np.random.default_rng(2), {}

    def sample(number: int, graph: OperatorGraph) -> LatencySample:
        keys = [table.features[row].key for row in table.rows(graph)]
        cost = sum(costs.setdefault(key, float(np.exp(2 * random.standard_normal()))) for key in keys)
        return LatencySample(str(number), graph, cost)

    samples = [sample(number, graph) for number, graph in enumerate(random_graphs(60, 7))]
    predictor = FewSamplesPredictor(prior())
    predictor.fit(samples[:40])
    assert predictor.weights["operator_counts"] > 0.9
    predictions = [one.latency_ms for one in predictor.predict([one.graph for one in samples[40:]])]
    assert np.mean(log_errors(predictions, [one.latency_ms for one in samples[40:]])) < 0.05


def test_own_work_predicts_a_device_that_is_like_no_source() -> None:
    """Each family has a cost for a byte, drawn anew; counts of operators are blind to sizes."""
    table, random, costs = OperatorTable(), np.random.default_rng(4), dict[str, float]()

    def sample(number: int, graph: OperatorGraph) -> LatencySample:
        families = [table.features[row].family for row in table.rows(graph)]
        moved = [operator.bytes_read + operator.bytes_written for operator in graph.operators]
        factors = [costs.setdefault(each, float(np.exp(2.5 * random.standard_normal()))) for each in families]
        return LatencySample(str(number), graph, 1e-6 * float(np.dot(moved, factors)))

    samples = [sample(number, graph) for number, graph in enumerate(random_graphs(60, 7))]
    predictor = FewSamplesPredictor(prior())
    predictor.fit(samples[:20])
    assert predictor.errors["own"] == min(predictor.errors.values())
    truth, errors = [one.latency_ms for one in samples[20:]], {}
    for name in ("own", "absolute", "relative", "operator_counts"):
        predictor.weights = {each: float(each == name) for each in predictor.weights}
        predictions = [one.latency_ms for one in predictor.predict([one.graph for one in samples[20:]])]
        errors[name] = np.mean(log_errors(predictions, truth))
    assert errors.pop("own") < 0.8 * min(errors.values()), errors


def test_devices_of_one_family_are_no_sources_of_each_other() -> None:
    graphs = random_graphs(FEWER, 0)
    tiny = InContextSettings(width=8, heads=2, layers=1, steps=1, nets=12, devices=1, queries=2)

    def learned(family_of_twin: str) -> Prior:
        families = {"red": "red", "twin": family_of_twin, "green": "green"}
        devices = [
            SourceDevice(name, family, device("red" if name == "twin" else name, graphs))
            for name, family in families.items()
        ]
        return Prior.learn(devices, steps=3, in_context=tiny)

    same, other = learned("red"), learned("twin")
    assert set(same.sources) == set(other.sources)
    for name, view in VIEWS.items():
        alike = np.allclose(same.mixtures[name].log_scale, other.mixtures[name].log_scale, atol=1e-6)
        assert alike == (not view.reads_sources)


def test_a_source_can_be_left_out() -> None:
    left = prior().without("red")
    assert left is not None
    assert set(left.sources) == {"green", "blue"}
    assert left.transformer is None, "it has learned from that source's nets"
    assert prior().without("yellow") is prior()
    single = left.without("green")
    assert single is not None
    assert single.without("blue") is None


@pytest.mark.slow
def test_a_device_is_never_its_own_source() -> None:
    """Its test nets would come back to it: a source that was trained on them must not improve the scores."""
    names = (INFO.fingerprint, "green", "blue")
    graphs = random_graphs(FEWER, 0)
    learned = Prior.learn(
        [SourceDevice(name, name, device(name, graphs)) for name in names], steps=20, in_context=SHORT
    )
    mine = device(INFO.fingerprint, graphs)[:20]
    settings = TrainingSettings(width=16, steps=20)
    scores = [
        fit_device(mine, INFO, settings=settings, members=2, prior=known).summary.predictors["few_samples"]
        for known in (learned, learned.without(INFO.fingerprint))
    ]
    assert scores[0] == scores[1]


def test_the_prior_is_used_with_few_nets_only() -> None:
    """A device with a few more nets than that has few enough in its training part; that does not count."""
    settings = TrainingSettings(width=16, steps=20)
    samples = device("yellow", random_graphs(FEW_NETS + 4, 3))
    for count, few in ((FEW_NETS, True), (FEW_NETS + 4, False)):
        result = fit_device(samples[:count], replace(INFO, name="yellow"), settings=settings, members=2, prior=prior())
        handed_over, scores = result.predictor.predictor, set(result.summary.predictors)
        assert isinstance(handed_over, ArbitratedPredictor) == few
        assert ("few_samples" in scores) == few
        members = getattr(handed_over, "members", (handed_over,))
        assert {member.name for member in members} == scores - {"arbitrated", "operator_counts"}


@pytest.mark.parametrize("families", [3, 4])
def test_biases_are_learned_from_many_families_only(families: int, tmp_path: Path) -> None:
    graphs, tiny = random_graphs(FEWER, 0), InContextSettings(width=8, heads=2, layers=1, steps=1, nets=12, devices=1)
    names = ("red", "green", "blue", "black")[:families]
    learned = Prior.learn([SourceDevice(name, name, device(name, graphs)) for name in names], steps=3, in_context=tiny)
    assert set(learned.weighing.bias) == ({"operator_counts", "in_context", *VIEWS} if families == 4 else set())
    save_prior(tmp_path, learned)
    assert load_prior(tmp_path).weighing == learned.weighing


def test_one_family_is_not_enough() -> None:
    graphs = random_graphs(NETS, 0)
    with pytest.raises(UserError, match="two families"):
        Prior.learn([SourceDevice(name, "same", device(name, graphs)) for name in ("red", "green")])


def test_a_prior_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prior_folder, "SHIPPED", tmp_path / "nothing shipped")
    assert known_prior(tmp_path) is None
    assert prior_for(tmp_path, INFO) is None
    save_prior(tmp_path, prior())
    graphs = [*random_graphs(5, 9), *random_graphs(NETS, 0)[:2]]  # the sources were trained on the last two
    samples = device("yellow", random_graphs(12, 5))
    predictions = []
    for one in (prior(), load_prior(tmp_path), known_prior(tmp_path)):
        predictor = FewSamplesPredictor(one)
        predictor.fit(samples)
        predictions.append([prediction.latency_ms for prediction in predictor.predict(graphs)])
    assert predictions[1] == pytest.approx(predictions[0], rel=1e-6)
    assert predictions[2] == predictions[1]
    (tmp_path / "prior.json").write_text("{")
    with pytest.raises(UserError, match="latseg pretrain"):
        known_prior(tmp_path)


def test_a_prior_of_an_earlier_version_says_what_to_do() -> None:
    """Its sources were trees alone."""
    document, arrays = prior().document()
    document["sources"] = {name: each["trees"] for name, each in document["sources"].items()}
    with pytest.raises(UserError, match="latseg fit"):
        Prior.restored(document, arrays)


@pytest.mark.parametrize("damage", ["views", "sources", "process"])
def test_a_prior_that_does_not_fit_is_refused(damage: str) -> None:
    document, arrays = prior().document()
    if damage == "process":
        arrays = {name: array[:-1] if name.endswith("process.weights") else array for name, array in arrays.items()}
    else:
        document[damage] = type(document[damage])()
    with pytest.raises(ValueError, match=r"prior without sources|other features"):
        Prior.restored(document, arrays)


def test_a_prior_of_the_workspace_comes_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="latency")
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    monkeypatch.setattr(prior_folder, "SHIPPED", shipped)
    save_prior(shipped, prior())
    found = prior_for(own, replace(INFO, name="yellow"))
    assert found is not None
    assert set(found.sources) == {"red", "green", "blue"}
    left = prior().without("red")
    assert left is not None
    assert "shipped prior" in caplog.text
    save_prior(own, left)
    found = prior_for(own, INFO)
    assert "own prior" in caplog.text
    assert found is not None
    assert set(found.sources) == {"green", "blue"}
