"""A new device from ten to twenty measured nets, with what other devices taught (``Prior``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.operator_counts import OperatorCountsPredictor, fitted_counts
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.vocabulary import Vocabulary
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor, prefixed, without_prefix
from latency.predictors.transfer.in_context import Context, context_document, restored_context
from latency.predictors.transfer.prior import Prior
from latency.predictors.transfer.process_mixture import Conditioned
from latency.predictors.transfer.views import VIEWS, View, view_group
from latency.predictors.weighing import error_weights
from latency.sample import LatencySample

Matrix = NDArray[np.float64]
_IN_CONTEXT = "in_context"


@dataclass(frozen=True)
class _Seen:
    """One view after it has seen the samples."""

    view: View
    processes: Conditioned
    weight: float


class FewSamplesPredictor(StoredPredictor):
    """Gaussian processes in two views of the device, the in-context transformer and operator counts, weighed.

    The weights come from their leave-one-out errors.

    Operator counts, of all operators or only of those that an output hangs on, know nothing of other devices; on those
    whose latency is a plain sum they need no more. Fitting is quick; operator times of the samples are not used.

    Args:
        prior: what was learned on other devices; only a predictor that is restored may do without.
    """

    name = "few_samples"

    def __init__(self, prior: Prior | None = None) -> None:
        self._prior = prior
        self._seen: dict[str, _Seen] = {}
        self._context: Context | None = None
        self._context_weight = 0.0
        self._counts, self._counts_weight = OperatorCountsPredictor(), 0.0
        self._vocabulary: Vocabulary | None = None
        self.out_of_fold: dict[str, float] = {}
        """Truth / leave-one-out prediction by label."""

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:  # noqa: ARG002 - of the contract
        """Closed form; ``seed`` changes nothing."""
        whole = whole_nets(samples)
        self._vocabulary = Vocabulary.of(samples, OperatorTable())
        graphs, latency_ms = [sample.graph for sample in whole], np.array([sample.latency_ms for sample in whole])
        left_out = self._look(graphs, latency_ms)
        self._counts, left_out[self._counts.name] = fitted_counts(whole)
        self._context, prior = None, self._known_prior()
        if prior.transformer is not None:
            self._context, left_out[_IN_CONTEXT] = prior.transformer.condition(graphs, latency_ms)
        weights = error_weights({name: latency_ms / found for name, found in left_out.items()})
        self._seen = {name: replace(seen, weight=weights[name]) for name, seen in self._seen.items()}
        self._counts_weight, self._context_weight = weights[self._counts.name], weights.get(_IN_CONTEXT, 0.0)
        logs = sum(weight * np.log(left_out[name]) for name, weight in weights.items())
        ratios = latency_ms / np.exp(logs)
        self.out_of_fold = dict(zip([sample.label for sample in whole], ratios.tolist(), strict=True))

    def _look(self, graphs: Sequence[OperatorGraph], latency_ms: Matrix) -> dict[str, Matrix]:
        """Conditions the views, not yet weighed; what each says of each sample without it."""
        prior = self._known_prior()
        net, source_ms = prior.groups.encode(graphs), _latencies(prior.source_predictions(graphs))
        group = view_group(prior.groups.group, source_ms.shape[1])
        left_out = {}
        self._seen = {}
        for name, kind in VIEWS.items():
            view = kind.of(source_ms, latency_ms)
            columns, target = view.columns(net, source_ms), view.target(latency_ms, source_ms)
            told = prior.mixtures[name].condition(columns, target, group)
            self._seen[name] = _Seen(view, told, 0.0)
            left_out[name] = view.latency_ms(told.left_out, source_ms)
        return left_out

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """See ``LatencyPredictor``; the parts of a net are those of the sources' mean, scaled to the total."""
        assert self._seen, "fit or load comes first"
        if not graphs:
            return []
        prior = self._known_prior()
        told = prior.source_predictions(graphs)
        source_ms = _latencies(told)
        net = prior.groups.encode(graphs)
        logs = self._counts_weight * np.log([one.latency_ms for one in self._counts.predict(graphs)])
        for seen in self._seen.values():
            target = seen.processes.predict(seen.view.columns(net, source_ms))
            logs += seen.weight * np.log(seen.view.latency_ms(target, source_ms))
        if self._context is not None and prior.transformer is not None:
            logs += self._context_weight * np.log(prior.transformer.predict(self._context, graphs))
        results = []
        unseen = self._unseen(graphs)
        for seldom, parts, total in zip(unseen, zip(*told, strict=True), np.exp(logs).tolist(), strict=True):
            mean = _mean(parts, *seldom)
            results.append(mean.scaled(total / mean.latency_ms))
        return results

    def document(self) -> tuple[Document, Arrays]:
        """See ``StoredPredictor``."""
        assert self._seen, "fit or load comes first"
        prior, arrays = self._known_prior().document()
        assert self._vocabulary is not None
        document: Document = {
            "prior": prior,
            "vocabulary": self._vocabulary.to_json(),
            "out_of_fold": self.out_of_fold,
            "views": {},
        }
        arrays = prefixed(arrays, "prior/")
        counts, mine = self._counts.document()
        document["counts"] = {"weight": self._counts_weight, "document": counts}
        arrays.update(prefixed(mine, "counts/"))
        document["context"] = None
        if self._context is not None:
            context, mine = context_document(self._context)
            document["context"] = {"weight": self._context_weight, "document": context}
            arrays.update(prefixed(mine, "context/"))
        for name, seen in self._seen.items():
            document["views"][name] = {"weight": seen.weight, "level": seen.view.level}
            mine = {"sources": seen.view.sources, "weights": seen.processes.weights, "share": seen.processes.share}
            arrays.update(prefixed(mine, f"seen.{name}."))
        return document, arrays

    def restore(self, document: Document, arrays: Arrays) -> None:
        """See ``StoredPredictor``."""
        self._prior = Prior.restored(document["prior"], without_prefix(arrays, "prior/"))
        self._vocabulary = Vocabulary.from_json(document["vocabulary"])
        self.out_of_fold = {str(label): float(ratio) for label, ratio in document["out_of_fold"].items()}
        self._counts_weight = float(document["counts"]["weight"])
        self._counts.restore(document["counts"]["document"], without_prefix(arrays, "counts/"))
        self._context = None
        if document["context"] is not None:
            self._context_weight = float(document["context"]["weight"])
            self._context = restored_context(document["context"]["document"], without_prefix(arrays, "context/"))
        for name, entry in document["views"].items():
            mine = without_prefix(arrays, f"seen.{name}.")
            view = VIEWS[name](mine["sources"], float(entry["level"]))
            processes = Conditioned(mine["weights"], mine["share"], np.zeros(0))
            self._seen[str(name)] = _Seen(view, processes, float(entry["weight"]))

    def _known_prior(self) -> Prior:
        assert self._prior is not None, "a prior comes first: Prior.learn, or load"
        return self._prior

    def _unseen(self, graphs: Sequence[OperatorGraph]) -> list[tuple[set[int], set[int]]]:
        """For each net positions of the operators that no sample of the device had, and that no whole net had."""
        assert self._vocabulary is not None
        table = OperatorTable()
        rows = [table.rows(graph) for graph in graphs]
        if not table.features:
            return [(set(), set()) for _ in graphs]
        encoded = self._vocabulary.encode(table.features)
        marked = encoded.unseen, encoded.unseen | encoded.alone
        unseen, in_no_net = ([set(np.flatnonzero(found[net]).tolist()) for net in rows] for found in marked)
        return list(zip(unseen, in_no_net, strict=True))


def _latencies(told: Sequence[Sequence[Prediction]]) -> Matrix:
    """sources x nets to nets x sources"""
    return np.array([[one.latency_ms for one in source] for source in told]).T


def _mean(parts: Sequence[Prediction], unseen: set[int], in_no_net: set[int]) -> Prediction:
    """Mean of the sources' predictions, with what the device's own samples never had, and had in no net."""
    operators_ms = tuple(np.mean([one.operators_ms for one in parts], axis=0).tolist())
    constant_ms = float(np.mean([one.constant_ms for one in parts]))
    total = sum(operators_ms) + constant_ms
    return Prediction(total, operators_ms, constant_ms, tuple(sorted(unseen)), tuple(sorted(in_no_net - unseen)))
