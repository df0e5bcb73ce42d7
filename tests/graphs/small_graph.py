"""A graph that is small and easy."""

from __future__ import annotations

from functools import cache

from graphs.data.graph import Graph
from graphs.data.registry import open_graph

SIZES = {"nodes": 60, "edges": 140, "degree": 10, "features": 24}
GRAPH = "block-model:nodes=60,edges=140,degree=10,features=24,classes=3"


@cache
def small_graph() -> Graph:
    return open_graph(GRAPH)
