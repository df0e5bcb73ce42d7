"""What source devices take for nets: measured, or predicted where they did not measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictors.transfer.source import SourcePredictor
from latency.sample import LatencySample

Matrix = NDArray[np.float64]


class AskedSources:
    """What sources predict; each is asked about each net once, however many devices measured it."""

    def __init__(self, sources: Mapping[str, SourcePredictor]) -> None:
        self._sources = sources
        self._known: dict[str, dict[str, float]] = {name: {} for name in sources}

    def of(self, name: str, graphs: Sequence[OperatorGraph]) -> list[float]:
        """Milliseconds of the nets on the source."""
        known, labels = self._known[name], [graph_digest(graph) for graph in graphs]
        new = {label: graph for label, graph in zip(labels, graphs, strict=True) if label not in known}
        told = self._sources[name].predict(list(new.values()), list(new))
        known.update(zip(new, [one.latency_ms for one in told], strict=True))
        return [known[label] for label in labels]


def nets_by_digest(measured: Mapping[str, Sequence[LatencySample]]) -> dict[str, OperatorGraph]:
    """The nets that any device measured, each once."""
    return {graph_digest(sample.graph): sample.graph for samples in measured.values() for sample in samples}


def latency_matrix(
    nets: Mapping[str, OperatorGraph], measured: Mapping[str, Sequence[LatencySample]], asked: AskedSources
) -> Matrix:
    """devices x nets, milliseconds: what was measured, and what the device's own predictor says of the others."""
    rows = []
    for name, samples in measured.items():
        told = dict(zip(nets, asked.of(name, list(nets.values())), strict=True))
        told.update({graph_digest(sample.graph): sample.latency_ms for sample in samples})
        rows.append(list(told.values()))
    return np.array(rows)
