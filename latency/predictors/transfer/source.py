"""Source devices: the predictor of each, and the latencies that it measured or predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import Prediction
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.cross_validation import held_out_ratios, stratified_folds
from latency.predictors.sample_checks import whole_nets
from latency.sample import LatencySample

Matrix = NDArray[np.float64]
_FOLDS = 5


@dataclass(frozen=True)
class SourcePredictor:
    """Boosted trees; a net that they were trained on is predicted by trees that were trained without it.

    The error of trees on their training nets is too small. Where a new device measures some of these nets (campaigns
    draw alike), it would seem to follow the source more closely than it does on other nets.
    """

    trees: BoostedTreesPredictor
    left_out_ms: Mapping[str, float]
    """Held-out predictions of the training nets, by the digest of the graph."""

    @staticmethod
    def fit(samples: Sequence[LatencySample], *, minimum: int, seed: int = 0) -> SourcePredictor:
        """Fits the trees to a device, and once more without each fold.

        Raises:
            UserError: fewer than ``minimum`` whole nets.
        """
        whole = whole_nets(samples, minimum=minimum)
        trees = BoostedTreesPredictor()
        trees.fit(samples, seed=seed)
        fold = stratified_folds([sample.latency_ms for sample in whole], _FOLDS, seed=seed)
        ratios = held_out_ratios(BoostedTreesPredictor, samples, whole, fold, seed=seed).tolist()
        left_out = {graph_digest(s.graph): s.latency_ms / ratio for s, ratio in zip(whole, ratios, strict=True)}
        return SourcePredictor(trees, left_out)

    def predict(self, graphs: Sequence[OperatorGraph], digests: Sequence[str]) -> list[Prediction]:
        """Predictions of nets, which are given with their digests."""
        return [
            prediction.scaled(self.left_out_ms[digest] / prediction.latency_ms)
            if digest in self.left_out_ms
            else prediction
            for prediction, digest in zip(self.trees.predict(graphs), digests, strict=True)
        ]


class CachedSources:
    """The predictions of sources; each net is predicted once, however many devices measured it."""

    def __init__(self, sources: Mapping[str, SourcePredictor]) -> None:
        self._sources = sources
        self._known: dict[str, dict[str, float]] = {name: {} for name in sources}

    def latencies(self, name: str, graphs: Sequence[OperatorGraph]) -> list[float]:
        """Predicted milliseconds of the nets on the source."""
        known, digests = self._known[name], [graph_digest(graph) for graph in graphs]
        new = {digest: graph for digest, graph in zip(digests, graphs, strict=True) if digest not in known}
        predictions = self._sources[name].predict(list(new.values()), list(new))
        known.update(zip(new, [prediction.latency_ms for prediction in predictions], strict=True))
        return [known[digest] for digest in digests]


def latency_matrix(
    nets: Mapping[str, OperatorGraph], measured: Mapping[str, Sequence[LatencySample]], sources: CachedSources
) -> Matrix:
    """devices x nets, milliseconds: measured, or predicted by the device's own predictor where it was not measured.

    Args:
        nets: by digest.
        measured: the nets that each device measured.
        sources: their predictors.
    """
    rows = []
    for name, samples in measured.items():
        row = dict(zip(nets, sources.latencies(name, list(nets.values())), strict=True))
        row.update({graph_digest(sample.graph): sample.latency_ms for sample in samples})
        rows.append(list(row.values()))
    return np.array(rows)
