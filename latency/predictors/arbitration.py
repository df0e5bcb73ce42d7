"""Several predictors weighed by how they do on nets that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.folds import enough_folds, stratified_folds
from latency.predictors.held_out import held_out_ratios
from latency.predictors.registry import predictor_class
from latency.predictors.sample_checks import LEAST_NETS, whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor, prefixed, without_prefix
from latency.predictors.weighing import error_weights
from latency.sample import LatencySample

OnStep = Callable[[int, int], None]
_FOLDS = 3
_LEAST_WEIGHT = 1e-3


class ArbitratedPredictor(StoredPredictor):
    """Geometric mean of predictors, weighed by their error on nets that they have not seen (``error_weights``).

    Attention is judged by one of its members for each net, the one that has not seen it, which errs more than their
    mean that answers in the end.

    Args:
        attention: the attention predictor, which brings its own held-out predictions.
        others: further predictors; each is fitted once for each of three folds (more where nets are few) to learn
            how it does on unseen nets.
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
        """Truth / prediction by label, for every whole net of the training samples, by parts that have not seen it."""

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0, on_step: OnStep | None = None) -> None:
        """See ``LatencyPredictor``; ``on_step`` is that of the attention predictor, whose training takes the time."""
        whole = whole_nets(samples, least=LEAST_NETS + 1)
        self._attention.fit(samples, seed=seed, on_step=on_step)
        members: dict[str, StoredPredictor] = {self._attention.name: self._attention}
        ratios = {self._attention.name: np.array([self._attention.out_of_fold[sample.label] for sample in whole])}
        folds = enough_folds(len(whole), _FOLDS, least=LEAST_NETS)
        fold = stratified_folds([sample.latency_ms for sample in whole], folds, seed=seed)
        for make in self._others:
            member = make()
            member.fit(samples, seed=seed)
            members[member.name] = member
            ratios[member.name] = held_out_ratios(make, samples, whole, fold, seed=seed)
        self._members, self.weights = members, error_weights(ratios)
        logs = sum(self.weights[name] * np.log(ratio) for name, ratio in ratios.items())
        self.out_of_fold = dict(zip([sample.label for sample in whole], np.exp(logs).tolist(), strict=True))

    @property
    def members(self) -> tuple[StoredPredictor, ...]:
        """The predictors that are weighed."""
        return tuple(self._members.values())

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """See ``LatencyPredictor``; members of no weight are not asked. What is unseen
        or was measured alone is what the weightiest says."""
        assert self._members, "fit or load comes first"
        asked = [name for name in self._members if self.weights[name] > _LEAST_WEIGHT]
        asked.sort(key=lambda name: -self.weights[name])
        told = [self._members[name].predict(graphs) for name in asked]
        weights = np.array([self.weights[name] for name in asked])
        if len(asked) == 1:
            return told[0]
        return [_mean(each, weights / weights.sum()) for each in zip(*told, strict=True)]

    def document(self) -> tuple[Document, Arrays]:
        """See ``StoredPredictor``."""
        assert self._members, "fit or load comes first"
        documents: Document = {}
        arrays: Arrays = {}
        for name, member in self._members.items():
            documents[name], mine = member.document()
            arrays.update(prefixed(mine, f"{name}/"))
        return {"members": documents, "weights": self.weights, "out_of_fold": self.out_of_fold}, arrays

    def restore(self, document: Document, arrays: Arrays) -> None:
        """See ``StoredPredictor``."""
        self.weights = {str(name): float(weight) for name, weight in document["weights"].items()}
        if set(self.weights) != set(document["members"]):
            raise ValueError("weights of other members than there are")
        self.out_of_fold = {str(label): float(ratio) for label, ratio in document["out_of_fold"].items()}
        for name, mine in document["members"].items():
            member = predictor_class(name)()
            member.restore(mine, without_prefix(arrays, f"{name}/"))
            self._members[name] = member


def _mean(predictions: Sequence[Prediction], weights: NDArray[np.float64]) -> Prediction:
    """Geometric mean of the totals; the parts are averaged and scaled to it."""
    total = float(np.exp(weights @ np.log([prediction.latency_ms for prediction in predictions])))
    parts = weights @ np.array([(*prediction.operators_ms, prediction.constant_ms) for prediction in predictions])
    parts *= total / parts.sum()
    *operators_ms, constant_ms = parts.tolist()
    return Prediction(total, tuple(operators_ms), constant_ms, predictions[0].unseen, predictions[0].alone)
