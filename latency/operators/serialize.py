"""Operator graphs as JSON, and the digest by which a net is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from foundation.errors import UserError
from latency.operators.operator import AttributeValue, Operator, OperatorGraph, Shape

DIGEST_DIGITS = 20


def graph_to_json(graph: OperatorGraph) -> dict[str, object]:
    """A plain JSON object; ``graph_from_json`` gives an equal graph, with its tensors' names."""
    return {
        "input_shapes": [list(shape) for shape in graph.input_shapes],
        "inputs": [list(sources) for sources in graph.inputs],
        "operators": [_operator_to_json(operator) for operator in graph.operators],
        **({"outputs": list(graph.outputs)} if graph.outputs else {}),
    }


def graph_from_json(data: Mapping[str, Any]) -> OperatorGraph:
    """Inverse of ``graph_to_json``.

    Raises:
        UserError: not such an object.
    """
    try:
        graph = OperatorGraph(
            operators=tuple(_operator_from_json(item) for item in data["operators"]),
            inputs=tuple(_ints(sources) for sources in data["inputs"]),
            input_shapes=_shapes(data["input_shapes"]),
            outputs=_ints(data.get("outputs", ())),
        )
        _check_inputs(graph)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
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


def _operator_to_json(operator: Operator) -> dict[str, object]:
    return {
        "kind": operator.kind,
        "attributes": dict(operator.attributes),
        "input_shapes": operator.input_shapes,
        "output_shapes": operator.output_shapes,
        "parameters": operator.parameters,
        "flops": operator.flops,
        "bytes_read": operator.bytes_read,
        "bytes_written": operator.bytes_written,
        "tensors": operator.tensors,
    }


def _operator_from_json(data: Mapping[str, Any]) -> Operator:
    attributes = ((str(name), _attribute(value)) for name, value in data["attributes"].items())
    return Operator(
        kind=str(data["kind"]),
        attributes=tuple(sorted(attributes)),
        input_shapes=_shapes(data["input_shapes"]),
        output_shapes=_shapes(data["output_shapes"]),
        parameters=int(data["parameters"]),
        flops=int(data["flops"]),
        bytes_read=int(data["bytes_read"]),
        bytes_written=int(data["bytes_written"]),
        tensors=tuple(map(str, data["tensors"])),
    )


def _check_inputs(graph: OperatorGraph) -> None:
    for position, (operator, sources) in enumerate(zip(graph.operators, graph.inputs, strict=True)):
        if len(sources) != len(operator.input_shapes):
            raise ValueError(f"operator {position} reads {len(sources)} tensors of {len(operator.input_shapes)}")
        if any(not -len(graph.input_shapes) <= source < position for source in sources):
            raise ValueError(f"operator {position} reads {sources}")


def _attribute(value: object) -> AttributeValue:
    if isinstance(value, list | tuple):
        return _ints(value)
    if isinstance(value, int | float | str):
        return value
    raise ValueError(f"attribute {value!r}")


def _ints(values: list[Any] | tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _shapes(shapes: list[Any]) -> tuple[Shape, ...]:
    return tuple(_ints(shape) for shape in shapes)
