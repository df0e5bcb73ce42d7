"""The graph in an MNN file: which operator makes which tensor.

The file is a FlatBuffer; MNN checks it when it loads it, so it is read after that. Positions of the fields are those of
``schema/default/MNN.fbs``, which may only grow at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flatbuffers import encode, number_types
from flatbuffers.table import Table

from foundation.regular_file import MODEL_BYTES, read_regular

_OPERATORS, _OUTPUTS, _TENSORS = 3, 4, 7
"""Fields of ``Net``."""
_INPUT_INDEXES, _NAME, _OUTPUT_INDEXES, _TYPE = 0, 3, 4, 5
"""Fields of ``Op``; a union, such as its field 1, takes two places."""
_INPUT, _CONVERT_TENSOR = 34, 129
"""Of the enumeration ``OpType``."""


@dataclass(frozen=True, slots=True)
class MnnOperator:
    """An operator of the file; the converter names it after the first tensor of the ONNX model that it made of it."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    converts_layout: bool = False


@dataclass(frozen=True, slots=True)
class MnnNet:
    """Operators in topological order, without the inputs; inputs and outputs in the order of the ONNX model."""

    operators: tuple[MnnOperator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_net(path: Path) -> MnnNet:
    """The graph of a file that MNN has loaded."""
    content = read_regular(path, limit=MODEL_BYTES)
    net = Table(content, encode.Get(number_types.UOffsetTFlags.packer_type, content, 0))
    tensors = _strings(net, _TENSORS)
    operators: list[MnnOperator] = []
    inputs: list[str] = []
    for table in _tables(net, _OPERATORS):
        kind = _int(table, _TYPE)
        made = tuple(tensors[index] for index in _ints(table, _OUTPUT_INDEXES))
        if kind == _INPUT:
            inputs += made
            continue
        read = tuple(tensors[index] for index in _ints(table, _INPUT_INDEXES))
        operators.append(MnnOperator(_string(table, _NAME), read, made, kind == _CONVERT_TENSOR))
    return MnnNet(tuple(operators), tuple(inputs), tuple(_strings(net, _OUTPUTS)))


def _field(table: Table, field: int) -> int:
    """Position of a field within the table; 0 where the file leaves it out."""
    return int(table.Offset(4 + 2 * field))


def _int(table: Table, field: int) -> int:
    place = _field(table, field)
    return int(table.Get(number_types.Int32Flags, table.Pos + place)) if place else 0


def _string(table: Table, field: int) -> str:
    place = _field(table, field)
    return table.String(table.Pos + place).decode(errors="replace") if place else ""


def _elements(table: Table, field: int) -> range:
    """Positions of the elements of a vector, each of which takes four bytes."""
    place = _field(table, field)
    start, count = (table.Vector(place), table.VectorLen(place)) if place else (0, 0)
    return range(start, start + 4 * count, 4)


def _ints(table: Table, field: int) -> list[int]:
    return [int(table.Get(number_types.Int32Flags, place)) for place in _elements(table, field)]


def _strings(table: Table, field: int) -> list[str]:
    return [table.String(place).decode(errors="replace") for place in _elements(table, field)]


def _tables(table: Table, field: int) -> list[Table]:
    return [Table(table.Bytes, table.Indirect(place)) for place in _elements(table, field)]
