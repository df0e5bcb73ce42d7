"""The conformance suite of sources of graphs. Subclass it, name the class ``Test...``, and name a small graph."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pytest

from foundation.errors import UserError
from graphs.data.graph import Graph, unique_edges
from graphs.data.source import GraphSource


class GraphContract(ABC):
    """The contract of ``graphs.data.source.GraphSource``."""

    @abstractmethod
    def source(self) -> type[GraphSource]:
        """The class under test."""

    @abstractmethod
    def text(self) -> str:
        """What stands behind the colon, for a graph that is as small as possible."""

    def refused(self) -> str:
        """A text that names no graph."""
        return "no-such=graph"

    @pytest.fixture
    def graph(self) -> Graph:
        return self.source().open(self.text(), seed=3)

    def test_equal_texts_and_seeds_give_equal_graphs(self, graph: Graph) -> None:
        assert self.source().open(self.text(), seed=3).fingerprint == graph.fingerprint

    def test_its_name_opens_it_again(self, graph: Graph) -> None:
        _, _, text = graph.name.partition(":")
        assert self.source().open(text, seed=3).fingerprint == graph.fingerprint

    def test_edges_stand_once(self, graph: Graph) -> None:
        np.testing.assert_array_equal(graph.edges, unique_edges(graph.edges))

    def test_every_class_can_be_learned(self, graph: Graph) -> None:
        assert set(graph.labels[graph.train]) == set(range(graph.classes))
        assert graph.features.dtype == np.float32
        assert graph.features.any()

    def test_others_are_refused(self) -> None:
        with pytest.raises(UserError):
            self.source().open(self.refused(), seed=0)
