"""Limits on the size of a model: a small file may describe more work than any machine can do."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from devices.graph_walk import all_nodes
from foundation.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

MAX_NODES = 50_000
"""Nodes of a model, functions expanded, bodies of If, Loop and Scan included. Large nets have some thousands."""
MAX_TENSOR_NUMBERS = 2**29
"""Of one input or activation: 2 GiB of float32."""

_Function = tuple[str, str, str]


class TensorTooLargeError(UserError):
    """A model that would need more memory for one tensor than any net of use."""


def check_size(what: str, model: onnx.ModelProto) -> None:
    """Refuses a model with too many nodes, or whose functions call themselves.

    Raises:
        UserError: more than ``MAX_NODES`` nodes, or recursion; ``what`` names the model.
    """
    calls = {_key(function): _calls(function.node) for function in model.functions}
    known = set(calls)
    order = TopologicalSorter({name: known & set(called) for name, called in calls.items()})
    try:
        functions = list(order.static_order())
    except CycleError as error:
        raise UserError(
            what, seen=f"the function {error.args[1][0][1]!r}, which calls itself", expected="functions that end",
            remedy="export it without functions",
        ) from error  # fmt: skip
    expanded: dict[_Function, int] = {}
    for name in functions:
        expanded[name] = _expanded(calls[name], expanded)
    nodes = _expanded(_calls(model.graph.node), expanded)
    if nodes > MAX_NODES:
        seen = f"{nodes:,} nodes" if nodes < 10**15 else "more than 10^15 nodes"
        raise UserError(
            what, seen=f"{seen}, functions expanded", expected=f"at most {MAX_NODES:,}", remedy="use a smaller net"
        )


def _key(named: onnx.FunctionProto) -> _Function:
    return (_domain(named.domain), named.name, named.overload)


def _calls(nodes: Iterable[onnx.NodeProto]) -> Counter[_Function]:
    return Counter((_domain(node.domain), node.op_type, node.overload) for node in all_nodes(nodes))


def _expanded(calls: Counter[_Function], expanded: dict[_Function, int]) -> int:
    return min(10**15, sum(count * max(1, expanded.get(name, 1)) for name, count in calls.items()))


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name
