"""Operators of a net merged into a few classes: large nets repeat the same operator in the same surroundings.

Two operators are of one class if their Weisfeiler-Lehman colours agree: kind and liveness of the operator, refined by
the colours of its producers and consumers (Shervashidze et al. 2011). If there are too many classes, a coarser colour
is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.edges import Edges
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.relations import NONE, RELATIONS, relations

LIMIT = 24
"""Classes of a net at most."""
SIZES = 3
"""Columns of ``MergedNet.sizes``."""
_ROUNDS = 2
_EXCEPTION = 0.3
"""Classes with fewer operators than this share of the most frequent class are merged into it."""
_Around = tuple[list[set[int]], list[set[int]]]
_Finer = tuple[int, frozenset[int], frozenset[int]]


@dataclass(frozen=True)
class MergedNet:
    """The classes of one net, in order of their first operators."""

    keys: tuple[str, ...]
    """classes: ``Features.key``, or the family, or nothing where operators of different ones had to be merged."""
    surroundings: tuple[str, ...]
    """classes: key, and the keys before and after; equal for classes of different nets in equal surroundings."""
    sizes: NDArray[np.float64]
    """classes x (operators, FLOPs, bytes), summed"""
    liveness: NDArray[np.float64]
    """classes x ``liveness.LIVENESS``: mean"""
    depth: NDArray[np.float64]
    """classes: mean number of operators before, as a share of the longest path."""
    relations: NDArray[np.float32]
    """classes x classes x ``RELATIONS``: share of the first class's operators to which one of the second is that."""


def merged(graph: OperatorGraph, table: OperatorTable) -> MergedNet:
    """The classes of a net that has an operator; ``table`` caches what is known of operators."""
    described = [table.features[row] for row in table.rows(graph)]
    keys = [one.key for one in described]
    alive, around = liveness(graph), _neighbours(graph)
    classes = _classes(around, keys, [one.family for one in described], alive)
    members = np.eye(max(classes) + 1)[classes]  # operators x classes
    sizes = np.array([[1, each.flops, each.bytes_read + each.bytes_written] for each in graph.operators], np.float64)
    count = members.sum(axis=0)
    return MergedNet(
        tuple(_common([keys[place] for place in np.flatnonzero(column)]) for column in members.T),
        tuple(_surroundings(around, keys, int(place)) for place in members.argmax(axis=0)),
        members.T @ sizes,
        (members.T @ alive) / count[:, None],
        (members.T @ _depth(graph)) / count,
        _shares(graph, members),
    )


def _classes(around: _Around, keys: Sequence[str], families: Sequence[str], alive: NDArray[np.float32]) -> list[int]:
    """Class of each operator, by the finest colours of which there are not too many."""
    rounds = [_numbered(list(zip(keys, map(tuple, alive.tolist()), strict=True)))]
    for _ in range(_ROUNDS):
        rounds.append(_refined(around, rounds[-1]))
    common = [family for family, _ in Counter(families).most_common(LIMIT - 1)]
    coarsest = _numbered([family if family in common else "" for family in families])
    fine_to_coarse = (*reversed(rounds), _numbered(keys), _numbered(families), coarsest)
    return next(colours for colours in fine_to_coarse if len(set(colours)) <= LIMIT)


def _refined(around: _Around, colour: Sequence[int]) -> list[int]:
    """One round: own colour, and the sets of those before and after."""
    before, after = around
    finer = [
        (own, frozenset(colour[place] for place in before[at]), frozenset(colour[place] for place in after[at]))
        for at, own in enumerate(colour)
    ]
    return _numbered(_without_exceptions(finer))


def _without_exceptions(finer: Sequence[_Finer]) -> list[_Finer]:
    """Merges rare classes into frequent ones, such as the first and the last of a row of repeated cells."""
    count = Counter(finer)
    largest: dict[int, _Finer] = {}
    for each in finer:
        if each[0] not in largest or count[each] > count[largest[each[0]]]:
            largest[each[0]] = each
    return [largest[each[0]] if count[each] < _EXCEPTION * count[largest[each[0]]] else each for each in finer]


def _numbered(colours: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(each, len(numbers)) for each in colours]


def _neighbours(graph: OperatorGraph) -> _Around:
    before = [{source for source in sources if source >= 0} for sources in graph.inputs]
    after: list[set[int]] = [set() for _ in before]
    for consumer, sources in enumerate(before):
        for source in sources:
            after[source].add(consumer)
    return before, after


def _surroundings(around: _Around, keys: Sequence[str], place: int) -> str:
    sides = (", ".join(sorted({keys[each] for each in side[place]})) for side in around)
    return " | ".join((keys[place], *sides))


def _common(keys: Sequence[str]) -> str:
    """Key of a class: what its operators have in common."""
    if len(set(keys)) == 1:
        return keys[0]
    families = {key.partition(" ")[0] for key in keys}
    return families.pop() if len(families) == 1 else ""


def _depth(graph: OperatorGraph) -> NDArray[np.float64]:
    depth = np.zeros(len(graph.operators))
    for place, sources in enumerate(graph.inputs):
        depth[place] = 1 + max((depth[source] for source in sources if source >= 0), default=0)
    result: NDArray[np.float64] = depth / depth.max()
    return result


def _shares(graph: OperatorGraph, members: NDArray[np.float64]) -> NDArray[np.float32]:
    count = len(graph.operators)
    codes = relations([count], Edges.of([graph.inputs]), count)[0]
    result = np.zeros((members.shape[1], members.shape[1], RELATIONS), np.float32)
    for code in range(RELATIONS):
        if code != NONE:
            some = ((codes == code).astype(np.float64) @ members) > 0
            result[:, :, code] = (members.T @ some) / members.sum(axis=0)[:, None]
    result[:, :, NONE] = np.maximum(0, 1 - result.sum(axis=2))
    return result
