"""The operators of a TFLite file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from foundation.regular_file import MODEL_BYTES, read_regular


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    """An operator; ``inputs`` and ``outputs`` are places among the file's tensors."""

    kind: str
    """Of the enumeration ``BuiltinOperator``, such as ``CONV_2D``."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TfliteNet:
    """Operators in the order of execution; inputs and outputs by their place among the tensors."""

    operators: tuple[TfliteOperator, ...]
    inputs: dict[int, str]
    outputs: dict[int, str]


def read_net(path: Path) -> TfliteNet:
    """The main graph of a file that LiteRT has loaded."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(read_regular(path, limit=MODEL_BYTES), 0)
    graph = model.Subgraphs(0)
    operators = (graph.Operators(place) for place in range(graph.OperatorsLength()))
    inputs = [graph.Inputs(place) for place in range(graph.InputsLength())]
    outputs = [graph.Outputs(place) for place in range(graph.OutputsLength())]
    return TfliteNet(
        tuple(
            TfliteOperator(
                _kind(model.OperatorCodes(each.OpcodeIndex())),
                tuple(each.Inputs(place) for place in range(each.InputsLength())),
                tuple(each.Outputs(place) for place in range(each.OutputsLength())),
            )
            for each in operators
        ),
        {place: graph.Tensors(place).Name().decode() for place in inputs},
        {place: graph.Tensors(place).Name().decode() for place in outputs},
    )


def _kind(code: Any) -> str:
    # Numbers that do not fit into the older field stand in the newer one alone.
    return _kinds()[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]


@cache
def _kinds() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
