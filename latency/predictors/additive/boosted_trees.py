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
        """nets x features: log. of base and number of operators, memory traffic, shares of families, sizes, topology"""
        rows, sizes = self._rows(graphs), [len(graph.operators) for graph in graphs]
        traffic = memory_traffic(graphs, Edges.of([graph.inputs for graph in graphs]), max(sizes))
        work = np.stack(
            [
                np.concatenate([[np.log(one.latency_ms), np.log(size)], its[:size].mean(axis=0), *self._work(at, one)])
                for size, its, at, one in zip(sizes, traffic, rows, base, strict=True)
            ]
        )
        return work if self._topology is None else np.hstack([work, self._topology.encode(graphs)])

    def _work(self, rows: Indices, base: Prediction) -> tuple[Vector, Vector]:
        """Share of each family in the time of a net, and its sizes, weighed by time."""
        assert self._vocabulary is not None
        assert self._sizes is not None
        weight = np.array(base.operators_ms) / base.latency_ms
        families = len(self._vocabulary.families) + 1  # the first one is that of the unknown
        shares = np.bincount(self._family[rows] + 1, weights=weight, minlength=families).astype(np.float64)
        return shares, weight @ self._sizes[rows]

    def _learned(self) -> tuple[Document, Arrays]:
        assert self._trees is not None, "fit or load comes first"
        topology = {} if self._topology is None else {"topology": self._topology.to_json()}
        return topology, prefixed(vars(self._trees), "trees.")

    def _relearn(self, document: Document, arrays: Arrays) -> None:
        # Absent in folders of older versions.
        self._topology = NetGroups.from_json(document["topology"]) if "topology" in document else None
        self._trees = Trees.from_arrays(without_prefix(arrays, "trees."))
