"""Joins the rows of a runtime's profile to the operators of a graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from devices.measurement import OperatorTime
from latency.operators.neighbourhood import inner
from latency.operators.operator import OperatorGraph
from latency.operators.views import view_sources
from latency.profiler_overhead import without_overhead
from latency.sample import KernelTime

_ZERO_MS = 0.0005
"""Profilers count whole microseconds: a kernel that they report with 0 took half of one on average."""


def join(graph: OperatorGraph, rows: Sequence[OperatorTime]) -> tuple[KernelTime, ...]:
    """Assigns the time of each row to operators; the sum of the times stays the same.

    A row belongs to the operator that produces the row's output tensor. An operator without a row was fused into a
    reader of its output (convolution into convolution + addition) or, where no reader has a row, into the operator that
    it reads (a view at the end); both then share one ``KernelTime``. The time of rows that produce no tensor of the
    graph is distributed in proportion.

    Args:
        graph: of the measured file, whose operators know their tensors' names; for synthesized models
            ``latency.operators.synthesize.with_tensor_names``.
        rows: may be empty.
    """
    producer = {name: position for position, operator in enumerate(graph.operators) for name in operator.tensors}
    times: dict[int, float] = defaultdict(float)
    unmatched = 0.0
    for row in rows:
        position = max((producer[name] for name in row.outputs if name in producer), default=None)
        if position is None:
            unmatched += row.ms
        else:
            times[position] += row.ms
    matched = sum(times.values())
    if not matched > 0:
        return ()
    scale = (matched + unmatched) / matched
    members = _members(graph, set(times))
    return tuple(KernelTime(tuple(members[position]), times[position] * scale) for position in sorted(times))


def join_single_operator(
    graph: OperatorGraph, rows: Sequence[OperatorTime], overhead_ms: float = 0.0
) -> tuple[KernelTime, ...]:
    """The time of the kernels themselves in a single-operator model; that of ``join`` where the rows lack it.

    Around its kernels such a model spends time that a net spends only once, and it reorders its input and output, which
    is often unnecessary between the operators of a net; ``benchmarks/alone_and_in_nets.py`` compares both with the time
    within nets. ``overhead_ms`` is the profiler's for each kernel.
    """
    own = [row.own_ms for row in rows if row.own_ms is not None]
    if not own or len(own) < len(rows):
        return join(graph, rows)
    kernels_ms = sum(without_overhead(ms, overhead_ms) for ms in own)
    return (KernelTime(tuple(range(len(graph.operators))), max(kernels_ms, _ZERO_MS)),)


def join_neighbourhood(
    graph: OperatorGraph, rows: Sequence[OperatorTime], overhead_ms: float = 0.0
) -> tuple[KernelTime, ...]:
    """Kernels of the inner operators of a ``neighbourhood``; none where the rows lack the kernels' own times.

    What reordering tensors takes counts where it happens between its operators; not that of the model's inputs. The
    graph's tensors have the names of ``latency.operators.synthesize``.
    """
    if any(row.own_ms is None for row in rows):
        return ()
    known = _rows_of_operators(graph, rows)
    profiled = max((row.own_ms / row.ms for row in known if row.own_ms), default=1.0)
    own = [max(without_overhead(row.own_ms or 0.0, overhead_ms), _ZERO_MS) for row in known]
    reorders = [max(profiled * row.ms - (row.own_ms or 0.0), 0.0) for row in known]
    alone = join(graph, [replace(row, ms=ms) for row, ms in zip(known, own, strict=True)])
    full = join(graph, [replace(row, ms=a + b) for row, a, b in zip(known, own, reorders, strict=True)])
    wanted, found = inner(graph), []
    for without, with_reorders in zip(alone, full, strict=True):
        if wanted.isdisjoint(without.operators):
            continue
        reads_inputs = any(source < 0 for position in without.operators for source in graph.inputs[position])
        found.append(without if reads_inputs else with_reorders)
    return tuple(found)


def _rows_of_operators(graph: OperatorGraph, rows: Sequence[OperatorTime]) -> list[OperatorTime]:
    """The rows that took time and produce a tensor of the graph, or a view of one, which is named as what is viewed."""
    tensors = [operator.tensors for operator in graph.operators]
    views = {name: tensors[source][-1] for name, source in view_sources(graph).items() if tensors[source]}
    named = [replace(row, outputs=tuple(views.get(name, name) for name in row.outputs)) for row in rows]
    names = {name for its in tensors for name in its}
    return [row for row in named if row.ms > 0 and not names.isdisjoint(row.outputs)]


def _members(graph: OperatorGraph, timed: set[int]) -> dict[int, list[int]]:
    """For each operator with a row: the operators that its row covers, including itself."""
    readers: dict[int, list[int]] = defaultdict(list)
    for producer, consumer in graph.edges:
        readers[producer].append(consumer)
    covering: dict[int, int | None] = {}
    for position in reversed(range(len(graph.operators))):
        found = (covering[reader] for reader in readers[position] if covering[reader] is not None)
        covering[position] = position if position in timed else next(found, None)
    for position in range(len(graph.operators)):
        if covering[position] is None:
            found = (
                covering[source] for source in graph.inputs[position] if source >= 0 and covering[source] is not None
            )
            covering[position] = next(found, None)
    members: dict[int, list[int]] = defaultdict(list)
    for position in range(len(graph.operators)):
        place = covering[position]
        if place is not None:
            members[place].append(position)
    return members
