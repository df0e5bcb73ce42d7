"""Operator graphs as JSON, and the digest by which a net is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph

DIGEST_DIGITS = 20
_GRAPH = TypeAdapter(OperatorGraph)


def graph_to_json(graph: OperatorGraph) -> dict[str, object]:
    """A plain JSON object; ``graph_from_json`` gives an equal graph, with its tensors' names."""
    data = _GRAPH.dump_python(graph, mode="json")
    # In this order, because the store knows a graph by the SHA-256 of its text.
    return {
        key: data[key] for key in ("input_shapes", "inputs", "operators", "outputs") if data[key] or key != "outputs"
    }


def graph_from_json(data: Mapping[str, Any]) -> OperatorGraph:
    """Inverse of ``graph_to_json``.

    Raises:
        UserError: not such an object.
    """
    try:
        graph = _GRAPH.validate_python(data)
        _check_inputs(graph)
    except ValueError as error:
        raise UserError(
            "operator graph",
            seen=f"{type(error).__name__}: {error}",
            expected="a JSON object written by latseg",
            remedy="take it from an intact file",
        ) from error
    return graph


def graph_digest(graph: OperatorGraph) -> str:
    """Twenty hexadecimal digits of SHA-256 over what equality compares: equal graphs, equal digests."""
    work = [
        (operator.signature, operator.parameters, sources)
        for operator, sources in zip(graph.operators, graph.inputs, strict=True)
    ]
    whole = [work, graph.input_shapes, *([graph.outputs] if graph.outputs else [])]
    text = json.dumps(whole, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def _check_inputs(graph: OperatorGraph) -> None:
    for position, (operator, sources) in enumerate(zip(graph.operators, graph.inputs, strict=True)):
        if len(sources) != len(operator.input_shapes):
            raise ValueError(f"operator {position} reads {len(sources)} tensors of {len(operator.input_shapes)}")
        if any(not -len(graph.input_shapes) <= source < position for source in sources):
            raise ValueError(f"operator {position} reads {sources}")
