"""A source device as a teacher: what it takes for nets, told as honestly of those that it has learned as of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import Prediction
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.folds import stratified_folds
from latency.predictors.held_out import held_out_ratios
from latency.predictors.sample_checks import whole_nets
from latency.sample import LatencySample

_FOLDS = 5


@dataclass(frozen=True)
class SourcePredictor:
    """Boosted trees, which of a net that they have learned say what trees said that were fitted without it.

    Trees know the nets by heart that they have learned. Where a new device's few nets are among them (campaigns draw
    alike), it would seem to follow the source more closely than it does elsewhere.
    """

    trees: BoostedTreesPredictor
    left_out_ms: Mapping[str, float]
    """By the digest of the graph."""

    @staticmethod
    def fit(samples: Sequence[LatencySample], *, least: int, seed: int = 0) -> SourcePredictor:
        """Fits the trees to a device, and once for each fold without it.

        Raises:
            UserError: fewer than ``least`` whole nets.
        """
        whole = whole_nets(samples, least=least)
        trees = BoostedTreesPredictor()
        trees.fit(samples, seed=seed)
        fold = stratified_folds([sample.latency_ms for sample in whole], _FOLDS, seed=seed)
        ratios = held_out_ratios(BoostedTreesPredictor, samples, whole, fold, seed=seed).tolist()
        left_out = {graph_digest(s.graph): s.latency_ms / ratio for s, ratio in zip(whole, ratios, strict=True)}
        return SourcePredictor(trees, left_out)

    def predict(self, graphs: Sequence[OperatorGraph], digests: Sequence[str]) -> list[Prediction]:
        """Of nets, given with their digests."""
        return [
            told.scaled(self.left_out_ms[digest] / told.latency_ms) if digest in self.left_out_ms else told
            for told, digest in zip(self.trees.predict(graphs), digests, strict=True)
        ]
