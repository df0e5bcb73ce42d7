"""An additive base, corrected by boosted trees fitted to its residuals on whole nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.predictor import AdditivePredictor, Indices, Vector
from latency.predictors.additive.trees import Trees
from latency.predictors.encoding.edges import Edges
from latency.predictors.encoding.memory_traffic import memory_traffic
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.sample import LatencySample

_TOPOLOGY = ("live_counts", "depth", "live_pairs")


class BoostedTreesPredictor(AdditivePredictor):
    """Regression on the sizes of operators, its sum corrected by trees on features of the whole net.

    Among these are counts of operators that an output depends on and of their edges: some runtimes skip the others.
    """

    name = "boosted_trees"

    def __init__(self) -> None:
        super().__init__()
        self._trees: Trees | None = None
        self._topology: NetGroups | None = None

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        """The additive base first, then the trees on the logarithm of truth / base."""
        self._trees = None
        super().fit(samples, seed=seed)
        whole = whole_nets(samples)
        graphs = [sample.graph for sample in whole]
        self._topology = NetGroups.learn(graphs, _TOPOLOGY)
        base = self.predict(graphs)
        target = np.array([np.log(sample.latency_ms / one.latency_ms) for sample, one in zip(whole, base, strict=True)])
        self._trees = Trees.boosted(self._nets(graphs, base), target, seed=seed)

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        base = super().predict(graphs)
        corrected = [position for position, graph in enumerate(graphs) if graph.operators]
        if self._trees is None or not corrected:
            return base
        nets = self._nets([graphs[position] for position in corrected], [base[position] for position in corrected])
        for position, factor in zip(corrected, np.exp(self._trees.predict(nets)).tolist(), strict=True):
            base[position] = base[position].scaled(factor)
        return base

    def _nets(self, graphs: Sequence[OperatorGraph], base: Sequence[Prediction]) -> Vector:
        """nets x features"""
        nets = zip(graphs, self._rows(graphs), base, strict=True)
        work = np.stack([self._net(graph, rows, one) for graph, rows, one in nets])
        return work if self._topology is None else np.hstack([work, self._topology.encode(graphs)])

    def _net(self, graph: OperatorGraph, rows: Indices, base: Prediction) -> Vector:
        """Logarithm of the base, number of operators, memory traffic, share of each family, sizes."""
        assert self._vocabulary is not None
        assert self._sizes is not None
        weight = np.array(base.operators_ms) / base.latency_ms
        families = len(self._vocabulary.families) + 1  # the first one is that of the unknown
        shares = np.bincount(self._family[rows] + 1, weights=weight, minlength=families)
        sizes = weight @ self._sizes[rows]
        traffic = memory_traffic([graph], Edges.of([graph.inputs]), len(rows))[0].mean(axis=0)
        return np.concatenate([[np.log(base.latency_ms), np.log(len(rows))], traffic, shares, sizes])

    def _learned(self) -> tuple[Document, Arrays]:
        assert self._trees is not None, "fit or load comes first"
        topology = {} if self._topology is None else {"topology": self._topology.to_json()}
        return topology, prefixed(vars(self._trees), "trees.")

    def _relearn(self, document: Document, arrays: Arrays) -> None:
        # Absent in folders of older versions.
        self._topology = NetGroups.from_json(document["topology"]) if "topology" in document else None
        self._trees = Trees.from_arrays(without_prefix(arrays, "trees."))
