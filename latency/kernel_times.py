"""Joins the rows of a runtime's profile to the operators of a graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from devices.measurement import OperatorTime
from latency.operators.operator import OperatorGraph
from latency.sample import KernelTime

_LEAST_MS = 0.0005
"""Profilers count whole microseconds: what they call nothing took half of one on the average."""


def join(graph: OperatorGraph, rows: Sequence[OperatorTime]) -> tuple[KernelTime, ...]:
    """Which operators each part of the time belongs to; the parts add up to the sum of the rows.

    A row belongs to the operator that makes the tensor it yields. An operator without a row was fused into a reader of
    its output (convolution into convolution + addition) or, where no reader has a row, into what it reads (a view at
    the end); both then share one ``KernelTime``. Rows that yield no tensor of the graph are spread in proportion.

    Args:
        graph: of the measured file, whose operators know their tensors' names; for synthesized models
            ``latency.operators.synthesize.with_tensor_names``.
        rows: may be empty.
    """
    owner = {name: position for position, operator in enumerate(graph.operators) for name in operator.tensors}
    times: dict[int, float] = defaultdict(float)
    lost = 0.0
    for row in rows:
        position = max((owner[name] for name in row.outputs if name in owner), default=None)
        if position is None:
            lost += row.ms
        else:
            times[position] += row.ms
    matched = sum(times.values())
    if not matched > 0:
        return ()
    scale = (matched + lost) / matched
    members = _members(graph, set(times))
    return tuple(KernelTime(tuple(members[position]), times[position] * scale) for position in sorted(times))


def join_single_operator(graph: OperatorGraph, rows: Sequence[OperatorTime]) -> tuple[KernelTime, ...]:
    """The time of the kernels themselves in a single-operator model; where no row knows its own, that of ``join``.

    Around its kernels such a model spends what a net spends once, and it reorders its input and output, which within
    nets neighbours often spare each other; ``benchmarks/alone_and_in_nets.py`` compares both with the time within nets.
    """
    own = [row.own_ms for row in rows if row.own_ms is not None]
    if not own or len(own) < len(rows):
        return join(graph, rows)
    return (KernelTime(tuple(range(len(graph.operators))), max(sum(own), _LEAST_MS)),)


def _members(graph: OperatorGraph, timed: set[int]) -> dict[int, list[int]]:
    """For each operator with a row, the operators that its row covers, itself included."""
    readers: dict[int, list[int]] = defaultdict(list)
    for producer, consumer in graph.edges:
        readers[producer].append(consumer)
    home: dict[int, int | None] = {}
    for position in reversed(range(len(graph.operators))):
        found = (home[reader] for reader in readers[position] if home[reader] is not None)
        home[position] = position if position in timed else next(found, None)
    for position in range(len(graph.operators)):
        if home[position] is None:
            found = (home[source] for source in graph.inputs[position] if source >= 0 and home[source] is not None)
            home[position] = next(found, None)
    members: dict[int, list[int]] = defaultdict(list)
    for position in range(len(graph.operators)):
        place = home[position]
        if place is not None:
            members[place].append(position)
    return members
