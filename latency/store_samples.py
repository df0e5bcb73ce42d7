"""From the rows of the measurement store to training samples, without holding all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from foundation.errors import UserError
from latency.kernel_times import join, join_single_operator
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.sample import KernelTime, LatencySample
from latency.store_rows import graph_of, measurement_of


class MeasurementRow(NamedTuple):
    """A row of ``measurements``, not decoded."""

    fingerprint: str
    label: str
    source: str
    graph_key: str
    latency_ms: float
    text: str


@dataclass(slots=True)
class Graphs:
    """The graphs of a store by key; each is read and decoded once."""

    read: Callable[[str], str | None]
    """From a key to the text of the graph."""
    _known: dict[str, tuple[OperatorGraph, str]] = field(default_factory=dict)
    _damaged: dict[str, str] = field(default_factory=dict)

    def graph(self, key: str) -> OperatorGraph:
        """The graph with this key."""
        return self._known[key][0]

    def digest(self, key: str) -> str:
        """What equal graphs have in common.

        Raises:
            ValueError: the graph is missing or damaged.
        """
        if key not in self._known:
            self._decode(key)
        return self._known[key][1]

    def _decode(self, key: str) -> None:
        if key in self._damaged:
            raise ValueError(self._damaged[key])
        text = self.read(key)
        try:
            if text is None:
                raise ValueError("its operator graph is missing")
            graph = graph_of(key, text)
        except (ValueError, UserError) as error:
            self._damaged[key] = str(error)
            raise
        self._known[key] = graph, graph_digest(graph)


@dataclass(slots=True)
class Repeated:
    """All measurements of one operator graph: every latency, the first and the latest row."""

    first: MeasurementRow
    latest: MeasurementRow
    latencies_ms: list[float]

    def sample(self, label: str, graphs: Graphs, nominal_ms: float | None) -> LatencySample:
        """The median latency on the scale of ``nominal_ms``, with the operator times of a measurement scaled to it.

        Those of the latest one, else of the first: a campaign takes them once for each net.
        """
        row, measurement = self.latest, measurement_of(*self.latest)
        if not measurement.operators:
            row, measurement = self.first, measurement_of(*self.first)
        graph = graphs.graph(row.graph_key)
        scaled = measurement if nominal_ms is None else measurement.on_scale(nominal_ms)
        latency_ms = median(self.latencies_ms) * scaled.latency_ms / measurement.latency_ms
        scale = latency_ms / measurement.latency_ms
        single_operator = row.source == "operator"
        kernels = (join_single_operator if single_operator else join)(graph, measurement.operators)
        return LatencySample(
            label=label,
            graph=graph,
            latency_ms=latency_ms,
            kernels=tuple(KernelTime(kernel.operators, kernel.ms * scale) for kernel in kernels),
            single_operator=single_operator,
        )


def samples_of(
    rows: Iterable[MeasurementRow], graphs: Graphs, nominal_times: Sequence[float] = ()
) -> tuple[list[LatencySample], int]:
    """One sample for each operator graph, in the order of its first measurement, and the number of rows.

    Args:
        rows: of one device.
        graphs: of the store.
        nominal_times: of the reference net in milliseconds; the samples are on the scale of the least one.
    """
    by_graph: dict[str, Repeated] = {}
    for row in rows:
        digest = graphs.digest(row.graph_key)
        known = by_graph.setdefault(digest, Repeated(row, row, []))
        known.latest = row
        known.latencies_ms.append(row.latency_ms)
    samples: dict[str, LatencySample] = {}
    for digest, repeated in by_graph.items():
        name = repeated.first.label
        label = f"{name} ({digest[:8]})" if name in samples else name
        samples[label] = repeated.sample(label, graphs, min(nominal_times, default=None))
    return list(samples.values()), sum(len(repeated.latencies_ms) for repeated in by_graph.values())


def row_with_graph(graphs: Graphs) -> Callable[..., MeasurementRow]:
    """Takes the values of a row that was written with its checksum, and looks only at its graph.

    Raises, as the callable that is returned:
        ValueError, UserError: the graph is missing or damaged.
    """

    def check(*values: str | float) -> MeasurementRow:
        row = MeasurementRow(*values)  # type: ignore[arg-type]
        graphs.digest(row.graph_key)
        return row

    return check


def checked_row(graphs: Graphs) -> Callable[..., MeasurementRow]:
    """Like ``row_with_graph`` for a row without a checksum, which is decoded to see whether it is intact."""

    def check(*values: str | float) -> MeasurementRow:
        row = row_with_graph(graphs)(*values)
        measurement_of(*row)
        return row

    return check
