"""The weighted mean of several predictors, for a device with few nets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.attention.predictor import AttentionPredictor, OnStep
from latency.predictors.cross_validation import enough_folds, held_out_ratios, stratified_folds
from latency.predictors.registry import predictor_class
from latency.predictors.sample_checks import MIN_NETS, whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor, prefixed, without_prefix
from latency.predictors.weighing import error_weights
from latency.sample import LatencySample

_logger = logging.getLogger(__name__)
_FOLDS = 3
_MIN_WEIGHT = 1e-3


class ArbitratedPredictor(StoredPredictor):
    """Geometric mean of predictors, weighted by their errors on nets held out (``error_weights``).

    The held-out error of attention is that of a single member for each net, which is larger than the error of the
    members' mean that predicts in the end.

    Args:
        attention: the attention predictor, which brings its own held-out predictions.
        others: further predictors; each is fitted once for each of three folds (more where nets are few) for its
            held-out predictions.
    """

    name = "arbitrated"

    def __init__(
        self,
        attention: AttentionPredictor | None = None,
        others: Sequence[Callable[[], StoredPredictor]] = (LookupTablePredictor, BoostedTreesPredictor),
    ) -> None:
        self._attention = attention or AttentionPredictor()
        self._others = tuple(others)
        self._members: dict[str, StoredPredictor] = {}
        self.weights: dict[str, float] = {}
        """By name; they add up to one."""
        self.out_of_fold: dict[str, float] = {}
        """Measured / predicted by label, for every whole training net, by parts that were fitted without it."""

    @override
    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0, on_step: OnStep = lambda *_: None) -> None:
        whole = whole_nets(samples, minimum=MIN_NETS + 1)
        self._attention.fit(samples, seed=seed, on_step=on_step)
        members: dict[str, StoredPredictor] = {self._attention.name: self._attention}
        ratios = {self._attention.name: np.array([self._attention.out_of_fold[sample.label] for sample in whole])}
        folds = enough_folds(len(whole), _FOLDS, minimum=MIN_NETS)
        fold = stratified_folds([sample.latency_ms for sample in whole], folds, seed=seed)
        for make in self._others:
            member = make()
            member.fit(samples, seed=seed)
            members[member.name] = member
            ratios[member.name] = held_out_ratios(make, samples, whole, fold, seed=seed)
        self._members, self.weights = members, error_weights(ratios)
        _logger.info("weights of the predictors: %s", ", ".join(f"{n} {w:.3f}" for n, w in self.weights.items()))
        logs = sum(self.weights[name] * np.log(ratio) for name, ratio in ratios.items())
        self.out_of_fold = dict(zip([sample.label for sample in whole], np.exp(logs).tolist(), strict=True))

    @property
    def members(self) -> tuple[StoredPredictor, ...]:
        """The predictors whose mean this is."""
        return tuple(self._members.values())

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        assert self._members, "fit or load comes first"
        names = [name for name in self._members if self.weights[name] > _MIN_WEIGHT]
        names.sort(key=lambda name: -self.weights[name])
        predictions = [self._members[name].predict(graphs) for name in names]
        if len(names) == 1:
            return predictions[0]
        weights = np.array([self.weights[name] for name in names])
        return [_mean(each, weights / weights.sum()) for each in zip(*predictions, strict=True)]

    @override
    def document(self) -> tuple[Document, Arrays]:
        assert self._members, "fit or load comes first"
        documents: Document = {}
        arrays: Arrays = {}
        for name, member in self._members.items():
            documents[name], its_arrays = member.document()
            arrays.update(prefixed(its_arrays, f"{name}/"))
        return {"members": documents, "weights": self.weights, "out_of_fold": self.out_of_fold}, arrays

    @override
    def restore(self, document: Document, arrays: Arrays) -> None:
        self.weights = {str(name): float(weight) for name, weight in document["weights"].items()}
        if set(self.weights) != set(document["members"]):
            raise ValueError("weights of other members than there are")
        self.out_of_fold = {str(label): float(ratio) for label, ratio in document["out_of_fold"].items()}
        for name, its_document in document["members"].items():
            member = predictor_class(name)()
            member.restore(its_document, without_prefix(arrays, f"{name}/"))
            self._members[name] = member


def _mean(predictions: Sequence[Prediction], weights: NDArray[np.float64]) -> Prediction:
    """Geometric mean of the totals; the parts are averaged and scaled to it. The first one names unseen operators."""
    total = float(np.exp(weights @ np.log([prediction.latency_ms for prediction in predictions])))
    parts = weights @ np.array([(*prediction.operators_ms, prediction.overhead_ms) for prediction in predictions])
    parts *= total / parts.sum()
    *operators_ms, overhead_ms = parts.tolist()
    return Prediction(total, tuple(operators_ms), overhead_ms, predictions[0].unseen, predictions[0].isolated)
