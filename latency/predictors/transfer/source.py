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
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.predictors.transfer.net_process import NetProcess
from latency.predictors.weighing import error_weights
from latency.sample import LatencySample

Matrix = NDArray[np.float64]
_FOLDS = 5


@dataclass(frozen=True)
class SourcePredictor:
    """Geometric mean of boosted trees and a Gaussian process, weighed by their errors on nets held out.

    Nets whose work lies far beyond that of the nets that it was fitted to are predicted by the trees alone, since the
    process extrapolates a plain sum.

    A net that it was fitted to is predicted without it: the error on such nets is too small, and where a new device
    measures some of these nets (campaigns draw alike), it would seem to follow the source more closely than it does on
    other nets.
    """

    trees: BoostedTreesPredictor
    process: NetProcess
    share: float
    """Weight of the process."""
    work: NDArray[np.bool_]
    """features: those that are work, which decide where the process is used."""
    left_out_ms: Mapping[str, float]
    """Held-out predictions of the nets that it was fitted to, by the digest of the graph."""

    @staticmethod
    def fit(samples: Sequence[LatencySample], groups: NetGroups, *, minimum: int, seed: int = 0) -> SourcePredictor:
        """Fits both to a device; the trees once more without each fold.

        Raises:
            UserError: fewer than ``minimum`` whole nets.
        """
        whole = whole_nets(samples, minimum=minimum)
        latency_ms = np.array([sample.latency_ms for sample in whole])
        trees = BoostedTreesPredictor()
        trees.fit(samples, seed=seed)
        fold = stratified_folds(latency_ms.tolist(), _FOLDS, seed=seed)
        ratios = held_out_ratios(BoostedTreesPredictor, samples, whole, fold, seed=seed)
        net = groups.encode([sample.graph for sample in whole])
        process, alone = NetProcess.fit(net, groups.group, latency_ms, seed=seed)
        share = error_weights({"trees": ratios, "process": latency_ms / alone})["process"]
        left_out = np.exp((1 - share) * np.log(latency_ms / ratios) + share * np.log(alone))
        digests = [graph_digest(sample.graph) for sample in whole]
        return SourcePredictor(trees, process, share, _work(groups), dict(zip(digests, left_out.tolist(), strict=True)))

    def predict(self, graphs: Sequence[OperatorGraph], digests: Sequence[str], net: Matrix) -> list[Prediction]:
        """Predictions of nets, which are given with their digests and features (nets x features)."""
        predictions = self.trees.predict(graphs)
        share = self.share * self.process.inside(net, self.work)
        factor = (self.process.predict(net) / [one.latency_ms for one in predictions]) ** share
        return [
            one.scaled(self.left_out_ms[digest] / one.latency_ms if digest in self.left_out_ms else its)
            for one, digest, its in zip(predictions, digests, factor.tolist(), strict=True)
        ]

    def document(self) -> tuple[Document, Arrays]:
        """Its numbers, as JSON and as arrays."""
        trees, arrays = self.trees.document()
        process = {"share": self.share, "level_ms": self.process.level_ms}
        document = {"trees": trees, "process": process, "left_out_ms": dict(self.left_out_ms)}
        its = {name: getattr(self.process, name) for name in ("weights", "low", "high")}
        return document, {**prefixed(arrays, "trees/"), **prefixed(its, "process.")}

    @staticmethod
    def restored(document: Document, arrays: Arrays, groups: NetGroups) -> SourcePredictor:
        """Reads ``document``; raises what ``StoredPredictor.restore`` may."""
        trees, process = BoostedTreesPredictor(), document["process"]
        trees.restore(document["trees"], without_prefix(arrays, "trees/"))
        left_out = {str(digest): float(ms) for digest, ms in document["left_out_ms"].items()}
        its = without_prefix(arrays, "process.")
        if any(len(each) != len(groups.mean) for each in its.values()) or not float(process["level_ms"]) > 0:
            raise ValueError("a process of other features")
        return SourcePredictor(
            trees,
            NetProcess(level_ms=float(process["level_ms"]), **its),
            float(process["share"]),
            _work(groups),
            left_out,
        )

    def latencies_ms(self, nets: Mapping[str, OperatorGraph], net: Matrix) -> dict[str, float]:
        """Predicted milliseconds of nets that are given by digest."""
        predictions = self.predict(list(nets.values()), list(nets), net)
        return {digest: one.latency_ms for digest, one in zip(nets, predictions, strict=True)}


def _work(groups: NetGroups) -> NDArray[np.bool_]:
    return np.isin(groups.group, [place for place, name in enumerate(groups.names) if name in ("flops", "bytes")])


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
