from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.tokens import PLACES, token_batch
from latency.sample import KernelTime, LatencySample
from latency.scores import Scores
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, operator_ms, random_graphs

QUICK = TrainingSettings(width=32, steps=40)
LEARNING = TrainingSettings(width=32, steps=500)


class TestAttentionContract(PredictorContract):
    @classmethod
    def make(cls) -> AttentionPredictor:
        return AttentionPredictor(QUICK, members=2)


@pytest.fixture(scope="module")
def learned() -> AttentionPredictor:
    predictor = AttentionPredictor(LEARNING, members=3)
    predictor.fit(measured(random_graphs(60, 0)), seed=0)
    return predictor


def test_fresh_nets_are_predicted_and_ranked(learned: AttentionPredictor) -> None:
    fresh = measured(random_graphs(40, 7), noise=0.0)
    predicted = [prediction.latency_ms for prediction in learned.predict([sample.graph for sample in fresh])]
    scores = Scores.of(predicted, [sample.latency_ms for sample in fresh])
    assert scores.mape_percent < 4
    assert scores.within_10_percent > 95
    assert scores.spearman > 0.98


def test_contributions_explain_where_the_time_goes(learned: AttentionPredictor) -> None:
    graphs = random_graphs(20, 8)
    predicted = [ms for prediction in learned.predict(graphs) for ms in prediction.operators_ms]
    truth = [ms for graph in graphs for ms in operator_ms(graph)]
    unfused = [operator.kind != "Add" for graph in graphs for operator in graph.operators]
    errors = np.array(log_errors(predicted, truth))[unfused]
    assert np.average(errors, weights=np.array(truth)[unfused]) < 0.1


def test_attention_learns_what_the_neighbours_cost(learned: AttentionPredictor) -> None:
    shape = (1, 48, 32, 32)
    project = builders.convolution(shape, 24, kernel=(1, 1))
    scaled = builders.elementwise("Mul", (shape, (1, 48, 1, 1)))
    depthwise = builders.convolution(shape, 48, kernel=(3, 3), group=48, activation="relu")
    behind_scale = OperatorGraph((depthwise, scaled, project), ((-1,), (0, -2), (1,)), (shape, (1, 48, 1, 1)))
    behind_depthwise = OperatorGraph((depthwise, project), ((-1,), (0,)), (shape,))
    first, second = learned.predict([behind_scale, behind_depthwise])
    assert first.operators_ms[2] > 1.2 * second.operators_ms[1]


def test_every_input_of_a_token_reaches_the_prediction(learned: AttentionPredictor) -> None:
    (graph,) = random_graphs(1, 3)
    learned.predict([graph])
    (member, *_), tokens = learned._members, token_batch([graph], [learned._table.rows(graph)])
    expected, _ = member.log_ms(tokens)
    for column in range(PLACES):
        places = tokens.places.copy()
        places[:, :, column] += 1
        changed, _ = member.log_ms(replace(tokens, places=places))
        assert not torch.equal(changed, expected), f"column {column}"


def test_operators_that_a_device_skips_are_learned() -> None:
    """Each net has an expensive branch, which costs nothing where it is no output."""

    def branch(graph: OperatorGraph, *, live: bool) -> OperatorGraph:
        shape, end = graph.operators[0].output_shapes[0], len(graph.operators)
        expensive = builders.convolution(shape, 64, kernel=(5, 5), activation="relu")
        outputs = (end - 1, end) if live else (end - 1,)
        return replace(graph, operators=(*graph.operators, expensive), inputs=(*graph.inputs, (0,)), outputs=outputs)

    graphs = [branch(graph, live=index % 2 == 0) for index, graph in enumerate(random_graphs(120, 0))]
    samples = [
        LatencySample(str(number), graph, float(np.dot(operator_ms(graph), liveness(graph)[:, 1])))
        for number, graph in enumerate(graphs)
    ]
    predictor = AttentionPredictor(TrainingSettings(width=16, steps=300), members=2)
    predictor.fit(samples)
    fresh = random_graphs(10, 9)
    live, dead = (predictor.predict([branch(graph, live=alive) for graph in fresh]) for alive in (True, False))
    ratios = [skipped.operators_ms[-1] / run.operators_ms[-1] for run, skipped in zip(live, dead, strict=True)]
    assert np.mean(ratios) < 0.5


def test_every_net_is_predicted_by_a_member_that_was_trained_without_it(learned: AttentionPredictor) -> None:
    assert set(learned.out_of_fold) == {f"net{index}" for index in range(60)}
    assert 0.9 < np.median(list(learned.out_of_fold.values())) < 1.1


def test_unseen_operators_are_named(learned: AttentionPredictor) -> None:
    shape = (1, 32, 32, 32)
    known = builders.convolution(shape, 32, kernel=(1, 1), activation="relu")
    strange = builders.operator("Einsum", (("equation", "ij"),), (shape,), (shape,), flops=10**7)
    kernel = builders.convolution(shape, 32, kernel=(9, 9), activation="relu")
    huge = builders.convolution((1, 2048, 32, 32), 2048, kernel=(1, 1), activation="relu")
    for operator in (strange, kernel, huge):
        graph = OperatorGraph((known, operator), ((-1,), (0,)), (shape,))
        prediction = learned.predict([graph])[0]
        assert prediction.unseen == (1,)
        assert prediction.operators_ms[1] > 0


@pytest.mark.parametrize("timed", [True, False])
def test_an_operator_of_no_measured_net_takes_as_long_as_its_kernel_alone(timed: bool, tmp_path: Path) -> None:
    shape, nets = (1, 32, 32, 32), measured(random_graphs(12, 0))
    known = nets[0].graph.operators[0]
    strange = builders.operator("Einsum", (("equation", "ij"),), (shape,), (shape,), flops=10**7)
    longer = builders.operator("Einsum", (("equation", "ij"),), (shape,), (shape,) * 2, flops=10**7)
    alone = [
        LatencySample(f"{ms}", single_operator(each), ms + 0.1, (KernelTime((0,), ms),) * timed, single_operator=True)
        for each, ms in ((strange, 7.5), (known, 9.5))
    ]
    predictor = AttentionPredictor(QUICK, members=2)
    predictor.fit([*nets, *alone], seed=0)
    predictor.save(tmp_path)
    graphs = [single_operator(each) for each in (strange, longer, known)]
    for one in (predictor, AttentionPredictor.load(tmp_path)):
        first, second, third = one.predict(graphs)
        assert (first.operators_ms == (7.5,)) is timed
        assert first.latency_ms == pytest.approx(first.operators_ms[0] + first.overhead_ms)
        assert second.operators_ms != (7.5,), "another operator"
        assert third.operators_ms != (9.5,), "measured nets had it"


def test_latency_grows_with_depth_beyond_what_was_measured(learned: AttentionPredictor) -> None:
    shape = (1, 32, 32, 32)
    block = builders.convolution(shape, 32, kernel=(1, 1), activation="relu")

    def chain(length: int) -> OperatorGraph:
        return OperatorGraph((block,) * length, ((-1,), *((index,) for index in range(length - 1))), (shape,))

    short, long = learned.predict([chain(40), chain(160)])
    assert 3 < long.latency_ms / short.latency_ms < 5


def test_progress_is_reported_and_threads_are_restored() -> None:
    before, steps = torch.get_num_threads(), []
    predictor = AttentionPredictor(TrainingSettings(width=16, steps=2), members=2, threads=1)
    predictor.fit(measured(random_graphs(10, 0)), on_step=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert torch.get_num_threads() == before


def test_nothing_to_run_costs_the_overhead(learned: AttentionPredictor) -> None:
    prediction = learned.predict([OperatorGraph((), (), ())])[0]
    assert prediction.operators_ms == ()
    assert prediction.latency_ms == prediction.overhead_ms > 0


def test_few_nets_are_trained_on_for_fewer_steps() -> None:
    assert TrainingSettings(steps=1500).for_nets(20).steps == 600
    assert TrainingSettings(steps=1500).for_nets(300).steps == 1500
    steps = []
    predictor = AttentionPredictor(TrainingSettings(steps=1500), members=2)
    predictor.fit(measured(random_graphs(6, 0)), on_step=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (360, 360)
