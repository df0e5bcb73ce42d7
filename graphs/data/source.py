"""The contract of a source of graphs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from graphs.data.graph import Graph


class GraphSource(ABC):
    """Where a graph comes from. Every implementation passes ``latseg.testing.graph_contract``."""

    @classmethod
    @abstractmethod
    def open(cls, text: str, *, seed: int) -> Graph:
        """The graph that ``NAME:TEXT`` names; equal texts and seeds give equal graphs.

        Args:
            text: what stands behind the colon.
            seed: of what is random.

        Raises:
            UserError: it cannot be read, or the text is malformed.
        """
