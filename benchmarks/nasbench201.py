"""NAS-Bench-201 (Dong & Yang, ICLR 2020) as operator graphs, and its published latencies.

The macro skeleton: a stem of 16 channels at 32 x 32, three stages of five cells at 16, 32 and 64 channels, a residual
block with stride 2 between stages, a classifier. A cell has four nodes and six edges; each edge is one of five
operations, each node the sum of its edges. The ReLU before a convolution is part of that operator; ``none`` is a
constant of zeros that is added like any other edge, as it is in the published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph, Shape

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Of a cell, in the order of the published table."""
STAGES = (16, 32, 64)
CELLS = 5
IMAGE = (1, 3, 32, 32)


@dataclass(frozen=True)
class PublicLatencies:
    """Latencies of all cells on all devices, as HELP (Lee et al., NeurIPS 2021) published them."""

    devices: tuple[str, ...]
    latency_ms: NDArray[np.float64]
    """devices x cells"""
    cells: NDArray[np.uint8]
    """cells x edges: indices into ``operations``."""
    operations: tuple[str, ...]

    @staticmethod
    def read(path: Path) -> PublicLatencies:
        """Reads the published table."""
        with np.load(path, allow_pickle=False) as table:
            return PublicLatencies(
                tuple(map(str, table["devices"])),
                table["latency_ms"].astype(np.float64),
                table["edge_operation"],
                tuple(map(str, table["operations"])),
            )

    def graph(self, cell: int) -> OperatorGraph:
        """The net of one cell."""
        return cell_graph(tuple(self.operations[edge] for edge in self.cells[cell]))

    def of(self, device: str) -> NDArray[np.float64]:
        """Latencies of one device, by cell."""
        return self.latency_ms[self.devices.index(device)]


@dataclass
class _Net:
    operators: list[Operator] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)

    def add(self, operator: Operator, *inputs: int) -> int:
        self.operators.append(operator)
        self.inputs.append(inputs)
        return len(self.operators) - 1

    def shape(self, position: int) -> Shape:
        return IMAGE if position < 0 else self.operators[position].output_shapes[0]

    def convolution(self, x: int, channels: int, kernel: int, stride: int = 1) -> int:
        return self.add(
            builders.convolution(self.shape(x), channels, kernel=(kernel, kernel), strides=(stride, stride)), x
        )

    def sum(self, terms: Sequence[int]) -> int:
        total = terms[0]
        for term in terms[1:]:
            total = self.add(builders.elementwise("Add", (self.shape(total), self.shape(term))), total, term)
        return total

    def edge(self, x: int, operation: str) -> int:
        """Position of what the edge yields."""
        shape = self.shape(x)
        if operation == "skip_connect":
            return x
        if operation == "none":
            return self.add(builders.operator("ConstantOfShape", (), (), (shape,)))
        if operation == "avg_pool_3x3":
            return self.add(_average_pool(shape, 3, 1), x)
        return self.convolution(x, shape[1], int(operation[-1]))

    def cell(self, x: int, operations: Sequence[str]) -> int:
        nodes = [x]
        for target in range(1, 4):
            incoming = [(s, operations[number]) for number, (s, t) in enumerate(EDGES) if t == target]
            nodes.append(self.sum([self.edge(nodes[source], operation) for source, operation in incoming]))
        return nodes[-1]

    def reduction(self, x: int, channels: int) -> int:
        """Basic residual block with stride 2."""
        main = self.convolution(self.convolution(x, channels, 3, 2), channels, 3)
        short = self.convolution(self.add(_average_pool(self.shape(x), 2, 2), x), channels, 1)
        return self.sum([main, short])


def cell_graph(operations: tuple[str, ...]) -> OperatorGraph:
    """The whole net with this cell."""
    net = _Net()
    x = net.convolution(-1, STAGES[0], 3)
    for number, channels in enumerate(STAGES):
        x = net.reduction(x, channels) if number else x
        for _ in range(CELLS):
            x = net.cell(x, operations)
    pooled = net.add(builders.global_average_pool(net.shape(x)), x)
    answer = net.convolution(pooled, 10, 1)
    return OperatorGraph(tuple(net.operators), tuple(net.inputs), (IMAGE,), outputs=(answer,))


@cache
def _average_pool(shape: Shape, kernel: int, stride: int) -> Operator:
    output = (*shape[:2], *(side // stride for side in shape[2:]))
    attributes = (("kernel", (kernel, kernel)), ("strides", (stride, stride)))
    return builders.operator("AveragePool", attributes, (shape,), (output,), flops=kernel**2 * int(np.prod(output)))
