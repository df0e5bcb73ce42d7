"""Tasks that a prior is learned from: each source device in turn is the new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.operators.serialize import graph_digest
from latency.predictors.additive.operator_counts import fitted_counts
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.transfer.fitted_view import FittedView
from latency.predictors.transfer.in_context import IN_CONTEXT, InContextTransformer
from latency.predictors.transfer.in_context_training import SAMPLES, nets_of_task
from latency.predictors.transfer.process_mixture import STEPS, ProcessMixture, Task
from latency.predictors.transfer.views import VIEWS, View
from latency.predictors.weighing import Weighing, WeighingTask, mean_error
from latency.sample import LatencySample

Matrix = NDArray[np.float64]
Nets = NDArray[np.int64]
_QUERIES = 48
_TASKS = 360
_WEIGHING_TASKS = 180


@dataclass(frozen=True)
class SourceTable:
    """One device's nets: their features, the predictions of sources of other families, and what was measured."""

    net: Matrix
    source_ms: Matrix
    samples: Sequence[LatencySample]
    latency_ms: Matrix

    @staticmethod
    def of(
        groups: NetGroups, samples: Sequence[LatencySample], predicted: Sequence[Mapping[str, float]]
    ) -> SourceTable:
        """From the measured nets, and what each source predicts of them by the digest of the graph."""
        graphs = [sample.graph for sample in samples]
        source_ms = np.array([[its[graph_digest(graph)] for graph in graphs] for its in predicted]).T
        latency_ms = np.array([sample.latency_ms for sample in samples])
        return SourceTable(groups.encode(graphs), source_ms, samples, latency_ms)

    def draw(self, queries: int, random: np.random.Generator) -> tuple[Nets, Nets]:
        """A few random nets as samples, ``queries`` others as queries."""
        order = nets_of_task(self.latency_ms, random)
        count = min(int(random.choice(SAMPLES)), len(order) - queries)
        return order[:count], order[count : count + queries]

    def task(self, view: type[View], groups: NetGroups, known: Nets, asked: Nets) -> Task:
        """To learn the scales of a view."""
        fitted = view.of(self.source_ms[known], self.latency_ms[known])
        (samples, group), (others, _) = (
            fitted.columns(self.net[nets], groups, self.source_ms[nets]) for nets in (known, asked)
        )
        targets = [fitted.target(self.latency_ms[nets], self.source_ms[nets]) for nets in (known, asked)]
        return Task.of(samples, others, group, view.groups(), *targets)

    def weighing_task(
        self,
        mixtures: Mapping[str, ProcessMixture],
        transformer: InContextTransformer | None,
        groups: NetGroups,
        known: Nets,
        asked: Nets,
    ) -> WeighingTask:
        """To learn how good the parts are; the transformer seems better than it is: it was trained on this device."""
        samples, graphs = [self.samples[place] for place in known], [self.samples[place].graph for place in asked]
        counts, left_out = fitted_counts(samples)
        held_out = {counts.name: left_out}
        predicted = {counts.name: np.array([one.latency_ms for one in counts.predict(graphs)])}
        if transformer is not None:
            context, held_out[IN_CONTEXT] = transformer.condition([s.graph for s in samples], self.latency_ms[known])
            predicted[IN_CONTEXT] = transformer.predict(context, graphs)
        for name, view in VIEWS.items():
            fitted = FittedView.of(
                view, mixtures[name], groups, self.net[known], self.source_ms[known], self.latency_ms[known]
            )
            held_out[name] = fitted.left_out_ms
            predicted[name] = fitted.latency_ms(groups, self.net[asked], self.source_ms[asked])
        errors = {name: mean_error(self.latency_ms[known] / each) for name, each in held_out.items()}
        logs = {name: np.log(each / self.latency_ms[asked]) for name, each in predicted.items()}
        truth = np.log(self.latency_ms[asked])
        return WeighingTask(errors, len(known), logs, float(np.mean(np.abs(truth - np.median(truth)))))


def learned_mixtures(
    tables: Sequence[SourceTable], groups: NetGroups, *, seed: int = 0, steps: int = STEPS
) -> dict[str, ProcessMixture]:
    """By view; every table gives equally many tasks."""
    found = {}
    for name, view in VIEWS.items():
        draws = _draws(tables, _TASKS, seed)
        tasks = [table.task(view, groups, known, asked) for table, known, asked in draws]
        found[name] = ProcessMixture.learn(tasks, seed=seed, steps=steps)
    return found


def learned_weighing(
    tables: Sequence[SourceTable],
    groups: NetGroups,
    mixtures: Mapping[str, ProcessMixture],
    transformer: InContextTransformer | None,
    *,
    seed: int = 0,
) -> Weighing:
    """On other draws than the mixtures."""
    draws = _draws(tables, _WEIGHING_TASKS, seed + 1)
    return Weighing.learn([table.weighing_task(mixtures, transformer, groups, *nets) for table, *nets in draws])


def _draws(tables: Sequence[SourceTable], count: int, seed: int) -> list[tuple[SourceTable, Nets, Nets]]:
    random = np.random.default_rng(seed)
    queries = min(_QUERIES, *(len(table.latency_ms) // 2 for table in tables))
    chosen = [tables[number % len(tables)] for number in range(count)]
    return [(table, *table.draw(queries, random)) for table in chosen]
