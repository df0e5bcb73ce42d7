"""The self-attention predictor: positive operator times that add up, corrected by the context of each operator.

Several members, averaged in log space. Each is trained without one fold of the nets, so that for every net there is a
member that was trained without it: ``out_of_fold`` holds measured / predicted latency of that member, from which a
bound can be calibrated without keeping nets from training (jackknife+ after bootstrap, Kim, Xu & Barber 2020, with
folds).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.attention.measured_alone import MeasuredAlone
from latency.predictors.attention.member import Member, TrainingOperators
from latency.predictors.attention.training import TrainingSettings
from latency.predictors.cross_validation import stratified_folds
from latency.predictors.encoding.operator_table import OperatorTable, RowCache
from latency.predictors.encoding.tokens import TokenBatch, chunks_by_length, token_batch
from latency.predictors.encoding.vocabulary import EncodedOperators, Vocabulary
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor, prefixed, without_prefix
from latency.predictors.threads import torch_threads
from latency.sample import LatencySample

_logger = logging.getLogger(__name__)
_CHUNK = 16
OnStep = Callable[[int, int], None]
"""Steps done and steps in all."""


class AttentionPredictor(StoredPredictor):
    """Learns from whole nets and from the times of their kernels.

    Args:
        settings: of the training.
        members: number of networks, and of folds; at least two to be fitted.
        threads: that torch may use in ``fit``; ``predict`` uses what torch is set to.
    """

    name = "attention"

    def __init__(self, settings: TrainingSettings | None = None, *, members: int = 3, threads: int = 1) -> None:
        self.settings = settings or TrainingSettings()
        self.threads = threads
        self._count = members
        self._members: list[Member] = []
        self._vocabulary: Vocabulary | None = None
        self._measured_alone = MeasuredAlone({})
        self._clear_caches()
        self.out_of_fold: dict[str, float] = {}
        """Measured / predicted by label, for every whole training net, by the member that was trained without it."""

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0, on_step: OnStep = lambda *_: None) -> None:
        """Trains the members; the same samples and seed give the same numbers on the same machine."""
        whole = whole_nets(samples)
        single = [sample for sample in samples if sample.alone]
        fold = stratified_folds([sample.latency_ms for sample in whole], self._count, seed=seed)
        operators, settings = self._learn_vocabulary(samples), self.settings.for_nets(len(whole))
        self._members, self.out_of_fold = [], {}
        self._measured_alone = MeasuredAlone.of(samples)
        self._clear_caches()

        def on_member_step(index: int, step: int) -> None:
            on_step(index * settings.steps + step, self._count * settings.steps)

        for index in range(self._count):
            inside = [sample for sample, number in zip(whole, fold, strict=True) if number != index]
            outside = [sample for sample, number in zip(whole, fold, strict=True) if number == index]
            with torch_threads(self.threads):
                report, its_seed = partial(on_member_step, index), 1000 * seed + index
                member = Member.fit([*inside, *single], operators, settings, seed=its_seed, on_step=report)
                self._members.append(member)
                self._predict_outside(index, outside, operators)
        self._table = operators.table
        self._append(operators.encoded)

    def _learn_vocabulary(self, samples: Sequence[LatencySample]) -> TrainingOperators:
        """From all samples: an operator that any member was trained on counts as seen. Uses no latency."""
        table = OperatorTable()
        self._vocabulary = Vocabulary.of(samples, table)
        return TrainingOperators(table, self._vocabulary.encode(table.features), len(self._vocabulary.families))

    def _predict_outside(self, index: int, outside: Sequence[LatencySample], operators: TrainingOperators) -> None:
        """Adds to ``out_of_fold`` the nets that this member was trained without."""
        single = AttentionPredictor(self.settings, members=1)
        single._members, single._vocabulary = [self._members[index].fresh()], self._vocabulary
        single._table = operators.table
        single._append(operators.encoded)
        for sample, prediction in zip(outside, single.predict([sample.graph for sample in outside]), strict=True):
            self.out_of_fold[sample.label] = sample.latency_ms / prediction.latency_ms

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """Batches graphs of similar length."""
        assert self._members, "fit or load comes first"
        if self._table.full:
            _logger.info("the cache of operator encodings is full and cleared")
            self._clear_caches()
        rows = [self._table.rows(graph) for graph in graphs]
        self._extend()
        results: list[Prediction | None] = [None] * len(graphs)
        for positions in chunks_by_length(graphs, _CHUNK):
            chunk = [graphs[position] for position in positions]
            predictions = self._predict_chunk(chunk, token_batch(chunk, [rows[position] for position in positions]))
            for position, prediction in zip(positions, predictions, strict=True):
                results[position] = prediction
        return [self._empty() if result is None else result for result in results]

    def _predict_chunk(self, graphs: Sequence[OperatorGraph], tokens: TokenBatch) -> list[Prediction]:
        ms, overhead = self._mean(tokens)
        alone = self._alone_ms[tokens.rows]
        ms = np.where(tokens.present & ~np.isnan(alone), alone, ms)
        masks = [cache[tokens.rows] & tokens.present for cache in (self._unseen, self._isolated)]
        overheads = overhead.tolist()
        predictions = []
        for index, graph in enumerate(graphs):
            operators_ms = tuple(ms[index, : len(graph.operators)].tolist())
            unseen, isolated = (
                tuple(np.flatnonzero(mask[index]).tolist()) if mask[index].any() else () for mask in masks
            )
            total = sum(operators_ms) + overheads[index]
            predictions.append(Prediction(total, operators_ms, overheads[index], unseen, isolated))
        return predictions

    def _mean(self, tokens: TokenBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Milliseconds of operators (batch x tokens) and of the overhead (batch).

        The members' totals are averaged in log space; the parts, likewise averaged, are scaled to that total.
        """
        present = torch.from_numpy(tokens.present)
        log_parts = torch.zeros(tokens.rows.shape, dtype=torch.float64)
        log_total = torch.zeros(len(tokens.rows), dtype=torch.float64)
        log_overhead = 0.0
        for member in self._members:
            log_ms, overhead = member.log_ms(tokens)
            wide = log_ms.double()
            log_parts += wide
            log_total += (torch.where(present, wide.exp(), 0.0).sum(dim=1) + overhead).log()
            log_overhead += np.log(overhead)
        count = len(self._members)
        parts = torch.where(present, (log_parts / count).exp(), 0.0)
        overhead = float(np.exp(log_overhead / count))
        scale = (log_total / count).exp() / (parts.sum(dim=1) + overhead)
        return (parts * scale[:, None]).numpy(), (overhead * scale).numpy()

    def _empty(self) -> Prediction:
        overhead = float(np.exp(np.mean([member.network.log_constant.item() for member in self._members])))
        return Prediction(overhead, (), overhead, ())

    @override
    def document(self) -> tuple[Document, Arrays]:
        assert self._vocabulary is not None, "fit or load comes first"
        document = {
            "settings": asdict(self.settings),
            "vocabulary": self._vocabulary.to_json(),
            "members": len(self._members),
            "out_of_fold": self.out_of_fold,
            "measured_alone": self._measured_alone.by_digest,
        }
        arrays: Arrays = {}
        for index, member in enumerate(self._members):
            arrays.update(prefixed(member.arrays(), f"{index}."))
        return document, arrays

    @override
    def restore(self, document: Document, arrays: Arrays) -> None:
        self.settings = TrainingSettings(**document["settings"])
        self._count = int(document["members"])
        self._vocabulary = Vocabulary.from_json(document["vocabulary"])
        self._members = [
            Member.from_arrays(self._vocabulary.width, self.settings, without_prefix(arrays, f"{index}."))
            for index in range(self._count)
        ]
        # Absent in folders of older versions.
        self._measured_alone = MeasuredAlone({str(k): float(v) for k, v in document.get("measured_alone", {}).items()})
        self.out_of_fold = {str(label): float(ratio) for label, ratio in document["out_of_fold"].items()}

    def _clear_caches(self) -> None:
        self._table = OperatorTable()
        self._unseen, self._isolated, self._alone_ms = RowCache(), RowCache(), RowCache()
        self._members = [member.fresh() for member in self._members]

    def _extend(self) -> None:
        """Adds the new rows of the table to the caches."""
        assert self._vocabulary is not None
        fresh = self._table.features[len(self._unseen) :]
        if fresh:
            _logger.debug("%d operators encoded, %d known from before", len(fresh), len(self._unseen))
            self._append(self._vocabulary.encode(fresh))

    def _append(self, encoded: EncodedOperators) -> None:
        self._unseen.append(encoded.unseen)
        first = len(self._isolated)
        self._isolated.append(encoded.isolated)
        operators = self._table.operators[first : len(self._isolated)]
        self._alone_ms.append(self._measured_alone.ms(operators, encoded.isolated))
        for member in self._members:
            member.extend(encoded)
