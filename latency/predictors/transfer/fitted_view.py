"""A view whose Gaussian processes were conditioned on the samples of a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.stored import Arrays, Document
from latency.predictors.transfer.process_mixture import Conditioned, ProcessMixture
from latency.predictors.transfer.views import VIEWS, View

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class FittedView:
    """Predicts nets from their features (``net``, encoded by ``groups``) and the sources' milliseconds."""

    view: View
    processes: Conditioned
    left_out_ms: Matrix
    """samples: leave-one-out predictions; empty once it was stored."""

    @staticmethod
    def of(
        kind: type[View], mixture: ProcessMixture, groups: NetGroups, net: Matrix, source_ms: Matrix, latency_ms: Matrix
    ) -> FittedView:
        """From samples: nets x features, nets x sources, and what the device measured."""
        view = kind.of(source_ms, latency_ms)
        columns, group = view.columns(net, groups, source_ms)
        processes = mixture.condition(columns, view.target(latency_ms, source_ms), group)
        return FittedView(view, processes, view.latency_ms(processes.left_out, source_ms))

    def latency_ms(self, groups: NetGroups, net: Matrix, source_ms: Matrix) -> Matrix:
        """nets"""
        columns, _ = self.view.columns(net, groups, source_ms)
        return self.view.latency_ms(self.processes.predict(columns), source_ms)

    def document(self) -> tuple[Document, Arrays]:
        """Its numbers, as JSON and as arrays."""
        arrays = {"sources": self.view.sources, "weights": self.processes.weights, "share": self.processes.share}
        return {"level": self.view.level}, arrays

    @staticmethod
    def restored(name: str, document: Document, arrays: Arrays) -> FittedView:
        """Reads ``document``; ``name`` is that of the view."""
        nothing = np.zeros(0)
        view = VIEWS[name](arrays["sources"], float(document["level"]))
        return FittedView(view, Conditioned(arrays["weights"], arrays["share"], nothing), nothing)
