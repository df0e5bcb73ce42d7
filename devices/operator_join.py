"""Joins the rows of a runtime's profile to the tensors of the user's model without losing any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from devices.measurement import OperatorTime


@dataclass(frozen=True, slots=True)
class ExecutedNode:
    """One kernel in the graph that the runtime executes."""

    kernel: str
    ms: float
    sources: tuple[int | str, ...]
    """Its inputs: positions of executed nodes, or names of the model's inputs. Weights are left out."""
    outputs: tuple[str, ...] = ()
    """Tensors of the user's model that it produces; empty for a node of the runtime's own, such as a layout reorder."""


def join_rows(nodes: Sequence[ExecutedNode]) -> tuple[OperatorTime, ...]:
    """One row per executed kernel that produces a tensor of the user's model, in the order of execution.

    The time of every other kernel is charged in equal parts to its consumers; where there are none (a reorder before
    the model's output), to its producers. Kernels that produce the same tensor become one row.
    """
    charged = _charge(nodes)
    rows: dict[tuple[str, ...], OperatorTime] = {}
    for index, node in enumerate(nodes):
        if not node.outputs:
            continue
        inputs = tuple(dict.fromkeys(_inputs(nodes, index)))
        known = rows.get(node.outputs)
        if known is None:
            rows[node.outputs] = OperatorTime(node.kernel, node.outputs, inputs, charged[index], own_ms=node.ms)
            continue
        kernel = known.kernel if node.kernel in known.kernel.split("+") else f"{known.kernel}+{node.kernel}"
        merged = tuple(dict.fromkeys(known.inputs + inputs))
        assert known.own_ms is not None
        ms, own_ms = known.ms + charged[index], known.own_ms + node.ms
        rows[node.outputs] = replace(known, kernel=kernel, inputs=merged, ms=ms, own_ms=own_ms)
    return tuple(rows.values())


def with_shapes(rows: Sequence[OperatorTime], shapes: Mapping[str, tuple[int, ...]]) -> tuple[OperatorTime, ...]:
    """The rows with the shapes of the user's model (a runtime may pad channels)."""
    return tuple(replace(row, output_shape=shapes.get(row.outputs[-1], ())) for row in rows)


def scale_rows(rows: Sequence[OperatorTime], latency_ms: float, speed: float) -> tuple[OperatorTime, ...]:
    """The rows with times that add up to ``latency_ms``; no rows where the profiler reported no time at all.

    ``own_ms`` is multiplied by ``speed``, the factor by which normalising changes the machine's times.
    """
    total = sum(row.ms for row in rows)
    if total <= 0:
        return ()
    return tuple(
        replace(row, ms=row.ms * latency_ms / total, own_ms=None if row.own_ms is None else row.own_ms * speed)
        for row in rows
    )


def _charge(nodes: Sequence[ExecutedNode]) -> list[float]:
    """Milliseconds of each node including those charged to it, in the order of execution."""
    consumers: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for source in node.sources:
            if isinstance(source, int):
                consumers[source].append(index)
    charged = [node.ms for node in nodes]
    for index, node in enumerate(nodes):
        if not node.outputs and consumers[index]:
            _share(charged, index, consumers[index])
    for index in reversed(range(len(nodes))):
        producers = [source for source in nodes[index].sources if isinstance(source, int)]
        if not nodes[index].outputs and producers:
            _share(charged, index, producers)
    return charged


def _share(charged: list[float], index: int, receivers: Sequence[int]) -> None:
    for receiver in receivers:
        charged[receiver] += charged[index] / len(receivers)
    charged[index] = 0.0


def _inputs(nodes: Sequence[ExecutedNode], index: int) -> list[str]:
    """Tensors of the user's model that a node reads, directly or through nodes that the runtime inserted."""
    names: list[str] = []
    for source in nodes[index].sources:
        if isinstance(source, str):
            names.append(source)
        elif nodes[source].outputs:
            names.append(nodes[source].outputs[-1])
        else:
            names.extend(_inputs(nodes, source))
    return [name for name in names if name not in nodes[index].outputs]
