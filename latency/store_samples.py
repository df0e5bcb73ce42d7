"""From the rows of the measurement store to training samples, without holding all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import NamedTuple

from pydantic import TypeAdapter

from devices.measurement import Measurement
from foundation.errors import UserError
from latency.kernel_times import join, join_neighbourhood, join_single_operator
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.profiler_overhead import ProfiledKernels, profiled_kernels, profiler_overhead_ms
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
    """All measurements of one operator graph on a device."""

    label: str
    row: MeasurementRow
    """The latest of a net, where there is one, and with operator times, where one has them."""
    latencies_ms: list[float]
    """On the scale of the device's nominal time."""

    def add(self, row: MeasurementRow, nominal_ms: float | None) -> None:
        """One more measurement."""
        self.latencies_ms.append(_SCALE.validate_json(row.text).latency_ms(row.latency_ms, nominal_ms))
        if _worth(row) >= _worth(self.row):
            self.row = row

    @property
    def single_operator(self) -> bool:
        """Whether it is the model of one operator, or of one among its neighbours, and no net."""
        return self.row.source == "operator"

    def sample(self, label: str, graphs: Graphs, overhead: _Overhead) -> LatencySample:
        """The median latency, with the operator times of one measurement scaled to it."""
        measurement, graph = measurement_of(*self.row), graphs.graph(self.row.graph_key)
        latency_ms = median(self.latencies_ms)
        scale = latency_ms / measurement.latency_ms
        if self.single_operator:
            join_model = join_single_operator if len(graph.operators) == 1 else join_neighbourhood
            kernels = join_model(graph, measurement.operators, overhead.ms / scale)
        else:
            kernels = join(graph, measurement.operators)
            overhead.add(measurement, scale)
        return LatencySample(
            label=label,
            graph=graph,
            latency_ms=latency_ms,
            kernels=tuple(KernelTime(kernel.operators, kernel.ms * scale) for kernel in kernels),
            single_operator=self.single_operator,
        )


def _worth(row: MeasurementRow) -> tuple[bool, bool]:
    return row.source != "operator", _NO_OPERATORS not in row.text


class _Overhead:
    """The profiler's for each kernel, on the scale of the samples; known when all nets were added."""

    def __init__(self) -> None:
        self._nets: list[ProfiledKernels] = []

    def add(self, measurement: Measurement, scale: float) -> None:
        """A net."""
        found = profiled_kernels(measurement)
        if found is not None:
            self._nets.append(ProfiledKernels(*(scale * ms for ms in found)))

    @cached_property
    def ms(self) -> float:
        """Milliseconds."""
        return profiler_overhead_ms(self._nets)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What of a measurement says on which scale its latency is; the rest is not decoded."""

    nominal_reference_ms: float
    protocol: dict[str, bool | int | float | str]

    def latency_ms(self, stored_ms: float, nominal_ms: float | None) -> float:
        """The stored latency on the scale of ``nominal_ms``, as ``Measurement.on_scale`` has it."""
        if nominal_ms is None or not self.protocol.get("normalise", True):
            return stored_ms
        return stored_ms * nominal_ms / self.nominal_reference_ms


_SCALE = TypeAdapter(_Scale)
_NO_OPERATORS = '"operators":[]'
"""As pydantic writes it."""


def samples_of(
    rows: Iterable[MeasurementRow], graphs: Graphs, nominal_ms: float | None
) -> tuple[list[LatencySample], int]:
    """One sample for each operator graph, in the order of its first measurement, and the number of rows.

    Args:
        rows: of one device.
        graphs: of the store.
        nominal_ms: of the reference net; the samples are on its scale.
    """
    by_graph: dict[str, Repeated] = {}
    for row in rows:
        digest = graphs.digest(row.graph_key)
        by_graph.setdefault(digest, Repeated(row.label, row, [])).add(row, nominal_ms)
    labelled: dict[str, Repeated] = {}
    for digest, repeated in by_graph.items():
        label = f"{repeated.label} ({digest[:8]})" if repeated.label in labelled else repeated.label
        labelled[label] = repeated
    overhead, samples = _Overhead(), {}
    for label in sorted(labelled, key=lambda label: labelled[label].single_operator):  # nets tell of the profiler
        samples[label] = labelled[label].sample(label, graphs, overhead)
    return [samples[label] for label in labelled], sum(len(each.latencies_ms) for each in by_graph.values())


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
