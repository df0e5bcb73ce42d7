"""The sizes of a graph, which decide what a network on it costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphSize:
    """An undirected graph whose nodes have features."""

    nodes: int
    edges: int
    """Each pair of neighbours once."""
    degree: int
    """Largest number of neighbours of a node."""
    features: int
    """Numbers that describe one node."""

    @property
    def messages(self) -> int:
        """Messages of one layer: each edge in both directions, and each node to itself."""
        return 2 * self.edges + self.nodes

    @property
    def levels(self) -> tuple[int, ...]:
        """Rows that remain after each halving of the messages, until every node has one.

        ``k`` halvings leave ``ceil(d / 2^k)`` of the ``d`` messages of a node. Summed over all nodes these are at most
        ``nodes + 2 * edges / 2^k``, which depends on nothing but the sizes.
        """
        halvings = self.degree.bit_length()
        return (*(self.nodes + (2 * self.edges >> halving) for halving in range(1, halvings)), self.nodes)

    def __str__(self) -> str:
        return f"{self.nodes} nodes, {self.edges} edges, at most {self.degree} neighbours, {self.features} features"
