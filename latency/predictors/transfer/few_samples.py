"""A new device from ten to twenty measured nets and a prior of other devices."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.operator_counts import OperatorCountsPredictor, fitted_counts
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.vocabulary import Vocabulary
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor, prefixed, without_prefix
from latency.predictors.transfer.fitted_view import FittedView
from latency.predictors.transfer.in_context import IN_CONTEXT, Context
from latency.predictors.transfer.prior import Prior
from latency.predictors.transfer.views import VIEWS
from latency.predictors.weighing import mean_error
from latency.sample import LatencySample

_logger = logging.getLogger(__name__)
Matrix = NDArray[np.float64]


class FewSamplesPredictor(StoredPredictor):
    """Geometric mean of Gaussian processes in several views, the in-context transformer and operator counts.

    They are weighted by their leave-one-out errors and by how good they were on other devices. Operator counts use no
    other device, which is enough where latency is a plain sum. Fitting is quick; operator times of the samples are not
    used.

    Args:
        prior: of other devices; only a predictor that is restored may do without.
    """

    name = "few_samples"

    def __init__(self, prior: Prior | None = None) -> None:
        self._prior = prior
        self._views: dict[str, FittedView] = {}
        self._context: Context | None = None
        self._counts = OperatorCountsPredictor()
        self._vocabulary: Vocabulary | None = None
        self.weights: dict[str, float] = {}
        """Of its parts; they add up to one."""
        self.errors: dict[str, float] = {}
        """Of its parts on the samples, each predicted without it; empty once loaded."""
        self.out_of_fold: dict[str, float] = {}
        """Measured / leave-one-out prediction by label."""

    @override
    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        whole = whole_nets(samples)
        self._vocabulary = Vocabulary.of(samples, OperatorTable())
        graphs, latency_ms = [sample.graph for sample in whole], np.array([sample.latency_ms for sample in whole])
        left_out = self._fit_views(graphs, latency_ms)
        self._counts, left_out[self._counts.name] = fitted_counts(whole)
        self._context, prior = None, self._known_prior()
        if prior.transformer is not None:
            self._context, left_out[IN_CONTEXT] = prior.transformer.condition(graphs, latency_ms)
        self.errors = {name: mean_error(latency_ms / found) for name, found in left_out.items()}
        weights = prior.weighing.weights(self.errors, len(whole))
        self.weights = {IN_CONTEXT: 0.0, **weights}
        _logger.info("%s: weights of the parts: %s", self.name, ", ".join(f"{n} {w:.3f}" for n, w in weights.items()))
        logs = sum(weight * np.log(left_out[name]) for name, weight in weights.items())
        ratios = latency_ms / np.exp(logs)
        self.out_of_fold = dict(zip([sample.label for sample in whole], ratios.tolist(), strict=True))

    def _fit_views(self, graphs: Sequence[OperatorGraph], latency_ms: Matrix) -> dict[str, Matrix]:
        """Conditions the views; returns their leave-one-out predictions."""
        prior = self._known_prior()
        net = prior.groups.encode(graphs)
        source_ms = _latencies(prior.source_predictions(graphs, net))
        self._views = {
            name: FittedView.of(kind, prior.mixtures[name], prior.groups, net, source_ms, latency_ms)
            for name, kind in VIEWS.items()
        }
        return {name: fitted.left_out_ms for name, fitted in self._views.items()}

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        assert self._views, "fit or load comes first"
        if not graphs:
            return []
        prior = self._known_prior()
        net = prior.groups.encode(graphs)
        sources = prior.source_predictions(graphs, net)
        source_ms = _latencies(sources)
        logs = self.weights[self._counts.name] * np.log([one.latency_ms for one in self._counts.predict(graphs)])
        for name, fitted in self._views.items():
            logs += self.weights[name] * np.log(fitted.latency_ms(prior.groups, net, source_ms))
        if self._context is not None and prior.transformer is not None and self.weights[IN_CONTEXT] > 0:
            logs += self.weights[IN_CONTEXT] * np.log(prior.transformer.predict(self._context, graphs))
        means = [
            _mean(parts, *known) for parts, known in zip(zip(*sources, strict=True), self._known(graphs), strict=True)
        ]
        return [mean.scaled(ms / mean.latency_ms) for mean, ms in zip(means, np.exp(logs).tolist(), strict=True)]

    @override
    def document(self) -> tuple[Document, Arrays]:
        assert self._views, "fit or load comes first"
        assert self._vocabulary is not None
        prior, prior_arrays = self._known_prior().document()
        counts, counts_arrays = self._counts.document()
        arrays = prefixed(prior_arrays, "prior/") | prefixed(counts_arrays, "counts/")
        document: Document = {
            "prior": prior,
            "vocabulary": self._vocabulary.to_json(),
            "out_of_fold": self.out_of_fold,
            "views": {},
            "counts": {"weight": self.weights[self._counts.name], "document": counts},
            "context": None,
        }
        if self._context is not None:
            context, context_arrays = self._context.document()
            document["context"] = {"weight": self.weights[IN_CONTEXT], "document": context}
            arrays.update(prefixed(context_arrays, "context/"))
        for name, fitted in self._views.items():
            its_document, its_arrays = fitted.document()
            document["views"][name] = {"weight": self.weights[name], **its_document}
            arrays.update(prefixed(its_arrays, f"seen.{name}."))
        return document, arrays

    @override
    def restore(self, document: Document, arrays: Arrays) -> None:
        self._prior = Prior.restored(document["prior"], without_prefix(arrays, "prior/"))
        self._vocabulary = Vocabulary.from_json(document["vocabulary"])
        self.out_of_fold = {str(label): float(ratio) for label, ratio in document["out_of_fold"].items()}
        self.weights = {IN_CONTEXT: 0.0, self._counts.name: float(document["counts"]["weight"])}
        self._counts.restore(document["counts"]["document"], without_prefix(arrays, "counts/"))
        self._context = None
        if document["context"] is not None:
            self.weights[IN_CONTEXT] = float(document["context"]["weight"])
            self._context = Context.restored(document["context"]["document"], without_prefix(arrays, "context/"))
        for name, entry in document["views"].items():
            self._views[str(name)] = FittedView.restored(name, entry, without_prefix(arrays, f"seen.{name}."))
            self.weights[str(name)] = float(entry["weight"])

    def _known_prior(self) -> Prior:
        assert self._prior is not None, "a prior comes first: Prior.learn, or load"
        return self._prior

    def _known(self, graphs: Sequence[OperatorGraph]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """For each net: positions of unseen operators, and of those that were measured in isolation only."""
        assert self._vocabulary is not None
        table = OperatorTable()
        rows = [table.rows(graph) for graph in graphs]
        if not table.features:
            return [((), ()) for _ in graphs]
        encoded = self._vocabulary.encode(table.features)
        unseen, isolated = (
            [tuple(np.flatnonzero(mask[net]).tolist()) for net in rows] for mask in (encoded.unseen, encoded.isolated)
        )
        return list(zip(unseen, isolated, strict=True))


def _latencies(predictions: Sequence[Sequence[Prediction]]) -> Matrix:
    """sources x nets to nets x sources"""
    return np.array([[one.latency_ms for one in source] for source in predictions]).T


def _mean(parts: Sequence[Prediction], unseen: tuple[int, ...], isolated: tuple[int, ...]) -> Prediction:
    """Mean of the sources' predictions; which operators count as known depends on the new device's own samples."""
    operators_ms = tuple(np.mean([one.operators_ms for one in parts], axis=0).tolist())
    overhead_ms = float(np.mean([one.overhead_ms for one in parts]))
    return Prediction(sum(operators_ms) + overhead_ms, operators_ms, overhead_ms, unseen, isolated)
