"""Graphs by name, such as ``block-model`` and ``cora:PATH``, and those of plug-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from graphs.data.graph import Graph
    from graphs.data.source import GraphSource

GRAPHS: Registry[GraphSource] = Registry(
    kind="graph",
    group="latseg.graphs",
    base="graphs.data.source:GraphSource",
    builtin={
        "block-model": "graphs.data.block_model:BlockModelSource",
        "cora": "graphs.data.cora:CoraSource",
    },
)


def open_graph(text: str, *, seed: int = 0) -> Graph:
    """The graph that ``NAME`` or ``NAME:TEXT`` names.

    Raises:
        UserError: no such name, or the graph cannot be opened.
    """
    name, _, rest = text.partition(":")
    return GRAPHS.get(name).open(rest, seed=seed)
