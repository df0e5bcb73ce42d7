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

    def latencies_ms(self, nets: Mapping[str, OperatorGraph]) -> dict[str, float]:
        """Predicted milliseconds of nets that are given by digest."""
        predictions = self.predict(list(nets.values()), list(nets))
        return {digest: one.latency_ms for digest, one in zip(nets, predictions, strict=True)}


def latency_matrix(
    predicted: Mapping[str, Mapping[str, float]], measured: Mapping[str, Sequence[LatencySample]]
) -> Matrix:
    """devices x nets, milliseconds: measured, or predicted by the device's own predictor where it was not measured.

    Args:
        predicted: milliseconds of every net by its digest, by source device.
        measured: the nets that each device measured.
    """
    rows = []
    for name, samples in measured.items():
        row = dict(predicted[name])
        row.update({graph_digest(sample.graph): sample.latency_ms for sample in samples})
        rows.append(list(row.values()))
    return np.array(rows)
