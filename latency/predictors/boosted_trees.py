"""Boosted trees on what an additive base leaves unexplained of whole nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive import AdditivePredictor, Vector
from latency.predictors.memory_traffic import memory_traffic
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.predictors.trees import Trees
from latency.sample import LatencySample


class BoostedTreesPredictor(AdditivePredictor):
    """Regression on the sizes of operators, its sum corrected by trees that look at the net as a whole."""

    name = "boosted_trees"

    def __init__(self) -> None:
        super().__init__()
        self._trees: Trees | None = None

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        """The additive base first, then the trees on the logarithm of truth / base."""
        self._trees = None
        super().fit(samples, seed=seed)
        whole = whole_nets(samples)
        base = [super(BoostedTreesPredictor, self)._predict(sample.graph) for sample in whole]
        rows = np.stack([self._net(sample.graph, one) for sample, one in zip(whole, base, strict=True)])
        target = np.array([np.log(sample.latency_ms / one.latency_ms) for sample, one in zip(whole, base, strict=True)])
        self._trees = Trees.boosted(rows, target, seed=seed)

    def _predict(self, graph: OperatorGraph) -> Prediction:
        base = super()._predict(graph)
        if self._trees is None or not graph.operators:
            return base
        return base.scaled(float(np.exp(self._trees.predict(self._net(graph, base)[None])[0])))

    def _net(self, graph: OperatorGraph, base: Prediction) -> Vector:
        """Features of the net: logarithm of the base, number of operators, memory traffic, share of each family."""
        assert self._vocabulary is not None
        encoded = self._vocabulary.encode([self._table.features[row] for row in self._table.rows(graph)])
        weight = np.array(base.operators_ms) / base.latency_ms
        shares = np.bincount(encoded.family + 1, weights=weight, minlength=len(self._vocabulary.families) + 1)
        sizes = (weight[:, None] * encoded.sizes).sum(axis=0)
        traffic = memory_traffic(graph).mean(axis=0)
        return np.concatenate([[np.log(base.latency_ms), np.log(len(graph.operators))], traffic, shares, sizes])

    def _learned(self) -> tuple[Document, Arrays]:
        assert self._trees is not None, "fit or load comes first"
        return {}, prefixed(self._trees.arrays(), "trees.")

    def _relearn(self, document: Document, arrays: Arrays) -> None:  # noqa: ARG002 - of the contract
        self._trees = Trees.from_arrays(without_prefix(arrays, "trees."))
