"""Random citation graphs: a stochastic block model (Holland et al., "Stochastic blockmodels", 1983) with words.

An edge joins nodes of one class with the probability ``within``. Each class has its own words; a node draws a part of
its words from those of its class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from graphs.data.graph import MAX_NUMBERS, Graph, Indices, unique_edges, with_rows_of_sum_one
from graphs.data.registry import GRAPHS
from graphs.data.source import GraphSource

_DRAWS = 40
"""Attempts for each edge."""
_TRAINED = 20
"""Labelled nodes of each class in the training split, as in Planetoid; a quarter of a smaller class."""


class BlockModelSource(GraphSource):
    """``block-model[:KEY=VALUE,...]``; the default has the sizes of Cora."""

    class Options(PluginOptions):
        """Sizes of the graph, and how much it says of the classes."""

        nodes: int = Field(default=2708, ge=40)
        edges: int = Field(default=5278, ge=1)
        degree: int = Field(default=168, ge=1)
        """Largest number of neighbours."""
        features: int = Field(default=1433, ge=1)
        classes: int = Field(default=7, ge=2)
        words: int = Field(default=18, ge=1)
        """That a node draws; the same one may come twice."""
        within: float = Field(default=0.8, ge=0, le=1)
        """Share of the edges that join nodes of one class."""
        topical: float = Field(default=0.3, ge=0, le=1)
        """Share of a node's words that are of its class."""

    @override
    @classmethod
    def open(cls, text: str, *, seed: int) -> Graph:
        name = f"block-model:{text}" if text else "block-model"
        options = cls.Options.model_validate(GRAPHS.parse(name)[1])
        _check(name, options)
        random = np.random.default_rng(seed)
        labels = random.permutation(np.arange(options.nodes) % options.classes)
        train, validation, test = _splits(labels, random)
        return Graph(
            name,
            with_rows_of_sum_one(_words(labels, options, random)),
            labels,
            _edges(labels, options, random),
            train,
            validation,
            test,
        )


def _check(name: str, options: BlockModelSource.Options) -> None:
    """Refuses what is too large.

    Raises:
        UserError: too many classes, edges, neighbours or features.
    """
    limits = {
        "classes": (options.classes, options.nodes // 8),
        "edges": (options.edges, options.nodes * options.nodes // 8),
        "degree": (options.degree, min(options.edges, options.nodes // (2 * options.classes))),
        "features": (options.features, MAX_NUMBERS // options.nodes),
        "words": (options.words, MAX_NUMBERS // options.nodes),
    }
    for key, (seen, largest) in limits.items():
        if seen > largest:
            raise UserError(
                f"{key} of {name}", seen=seen, expected=f"at most {largest} beside the other options",
                remedy="give less, or more nodes",
            )  # fmt: skip


def _edges(labels: Indices, options: BlockModelSource.Options, random: np.random.Generator) -> Indices:
    """Exactly ``options.edges`` different pairs; one node has exactly ``options.degree`` neighbours, no other has more.

    Raises:
        UserError: hardly any pair is left to draw.
    """
    members = [np.flatnonzero(labels == label) for label in range(options.classes)]
    hub, counts = int(random.integers(options.nodes)), np.zeros(options.nodes, np.int64)
    found: dict[tuple[int, int], None] = {}
    for _ in range(_DRAWS * options.edges):
        if len(found) == options.edges:
            return unique_edges(np.array(list(found)))
        first = hub if counts[hub] < options.degree else int(random.integers(options.nodes))
        inside = random.random() < options.within
        label = labels[first] if inside else (labels[first] + random.integers(1, options.classes)) % options.classes
        second = int(random.choice(members[label]))
        pair = (min(first, second), max(first, second))
        if first != second and pair not in found and max(counts[first], counts[second]) < options.degree:
            found[pair] = None
            counts[[first, second]] += 1
    raise UserError(
        "block-model", seen=f"{options.edges} edges, degree {options.degree}", expected="a graph with few edges",
        remedy="give fewer edges, more nodes, or another degree",
    )  # fmt: skip


def _words(labels: Indices, options: BlockModelSource.Options, random: np.random.Generator) -> NDArray[np.float32]:
    """Nodes x features: 1 for each word that a node has."""
    shape = (options.nodes, options.words)
    topic = max(1, options.features // options.classes)
    own = labels[:, None] * topic + random.integers(topic, size=shape)
    drawn = np.where(random.random(shape) < options.topical, own, random.integers(options.features, size=shape))
    matrix = np.zeros((options.nodes, options.features), np.float32)
    np.put_along_axis(matrix, drawn % options.features, 1, axis=1)
    return matrix


def _splits(labels: Indices, random: np.random.Generator) -> tuple[Indices, Indices, Indices]:
    """Some nodes of each class; a fifth and a third of all nodes."""
    order = random.permutation(len(labels))
    train = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        train.append(members[: min(_TRAINED, len(members) // 4)])
    chosen = np.concatenate(train)
    rest = order[~np.isin(order, chosen)]
    fifth, third = len(labels) // 5, len(labels) // 3
    return chosen, rest[:fifth], rest[fifth : fifth + third]
