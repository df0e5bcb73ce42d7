"""NAS-Bench-201 (Dong & Yang, ICLR 2020) as operator graphs, and its published latencies.

The macro skeleton: a stem of 16 channels at 32 x 32, three stages of five cells at 16, 32 and 64 channels, a residual
block with stride 2 between stages, a classifier. A cell has four nodes and six edges; each edge is one of five
operations, each node the sum of its edges. The ReLU before a convolution is part of that operator; ``none`` is a
constant of zeros that is added like any other edge, as it is in the published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from net_builder import NetBuilder
from numpy.typing import NDArray

from latency.operators import builders
from latency.operators.operator import OperatorGraph

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Of a cell, in the order of the published table."""
STAGES = (16, 32, 64)
CELLS = 5


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


def cell_graph(operations: tuple[str, ...]) -> OperatorGraph:
    """The whole net with this cell."""
    net = NetBuilder()
    x = net.convolution(-1, STAGES[0], 3)
    for number, channels in enumerate(STAGES):
        x = _reduction(net, x, channels) if number else x
        for _ in range(CELLS):
            x = _cell(net, x, operations)
    return net.classified(x, 10)


def _cell(net: NetBuilder, x: int, operations: Sequence[str]) -> int:
    nodes = [x]
    for target in range(1, 4):
        incoming = [(s, operations[number]) for number, (s, t) in enumerate(EDGES) if t == target]
        nodes.append(net.sum([_edge(net, nodes[source], operation) for source, operation in incoming]))
    return nodes[-1]


def _edge(net: NetBuilder, x: int, operation: str) -> int:
    """Position of what the edge yields."""
    shape = net.shape(x)
    if operation == "skip_connect":
        return x
    if operation == "none":
        return net.add(builders.operator("ConstantOfShape", (), (), (shape,)))
    if operation == "avg_pool_3x3":
        return net.average_pool(x, 3, 1)
    return net.convolution(x, shape[1], int(operation[-1]))


def _reduction(net: NetBuilder, x: int, channels: int) -> int:
    """Basic residual block with stride 2."""
    main = net.convolution(net.convolution(x, channels, 3, 2), channels, 3)
    short = net.convolution(net.average_pool(x, 2, 2), channels, 1)
    return net.sum([main, short])
