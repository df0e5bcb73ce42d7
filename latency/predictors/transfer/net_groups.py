"""Groups of features of whole nets that latency may depend on, from a constant to pairs of adjacent operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.additive.operator_counts import operator_key
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.operator_table import OperatorTable

Matrix = NDArray[np.float64]

GROUPS = ("constant", "counts", "live_counts", "depth", "live_pairs")
"""``live_counts`` are of operators that an output depends on, also where they depend on no input: runtimes skip what no
output needs but compute with zeros. Depth and pairs are of operators of which both are true."""
_JOINTS = ("Add", "Concat", "Mul")
"""Kinds that only join branches: operators on both sides of them count as neighbours."""


@dataclass(frozen=True)
class NetGroups:
    """The features that occurred in a set of nets, standardised on them; frozen."""

    keys: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @staticmethod
    def learn(graphs: Sequence[OperatorGraph]) -> NetGroups:
        """From the nets of the source devices."""
        described = _described(graphs)
        keys = tuple(sorted({key for net in described for key in net.counts}))
        pairs = tuple(sorted({pair for net in described for pair in net.pairs}))
        raw = _raw(described, keys, pairs)
        return NetGroups(keys, pairs, raw.mean(axis=0), np.where(raw.std(axis=0) > 1e-9, raw.std(axis=0), 1.0))

    @property
    def group(self) -> NDArray[np.int64]:
        """features: index into ``GROUPS``."""
        widths = (1, len(self.keys), len(self.keys), 1, len(self.pairs))
        return np.repeat(np.arange(len(GROUPS)), widths)

    def encode(self, graphs: Sequence[OperatorGraph]) -> Matrix:
        """nets x features: standardised, each group over the root of its width; unknown operators are left out."""
        raw = (_raw(_described(graphs), self.keys, self.pairs) - self.mean) / self.scale
        raw[:, 0] = 1.0
        widths = np.bincount(self.group, minlength=len(GROUPS))
        return raw / np.sqrt(widths[self.group])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        return {
            "keys": list(self.keys),
            "pairs": [list(pair) for pair in self.pairs],
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> NetGroups:
        """Reads ``to_json``.

        Raises:
            KeyError, TypeError, ValueError: not such a document.
        """
        pairs = tuple((str(first), str(second)) for first, second in document["pairs"])
        mean, scale = (np.array(document[name], np.float64) for name in ("mean", "scale"))
        groups = NetGroups(tuple(map(str, document["keys"])), pairs, mean, scale)
        if not len(groups.mean) == len(groups.scale) == len(groups.group):
            raise ValueError("net features of another layout")
        return groups


@dataclass(frozen=True)
class _Net:
    counts: Counter[str]
    live: Counter[str]
    depth: int
    pairs: Counter[tuple[str, str]]


def _described(graphs: Sequence[OperatorGraph]) -> list[_Net]:
    table = OperatorTable()
    return [_describe(graph, table) for graph in graphs]


def _describe(graph: OperatorGraph, table: OperatorTable) -> _Net:
    keys = [operator_key(table.features[row]) for row in table.rows(graph)]
    alive = [bool(on_input and for_output) for on_input, for_output in liveness(graph)]
    charged = [bool(for_output) for _, for_output in liveness(graph)]
    depth = [0] * len(keys)
    before: list[set[int]] = []
    pairs: Counter[tuple[str, str]] = Counter()
    for position, sources in enumerate(graph.inputs):
        producers = {source for source in sources if source >= 0 and alive[source]}
        joint = graph.operators[position].kind in _JOINTS
        depth[position] = max((depth[source] for source in producers), default=0) + (not joint)
        neighbours = {each for source in producers for each in before[source]}
        if alive[position] and not joint:
            pairs.update((keys[each], keys[position]) for each in neighbours)
        before.append(neighbours if joint else {position})
    live = Counter(key for key, live in zip(keys, charged, strict=True) if live)
    return _Net(Counter(keys), live, max((d for d, live in zip(depth, alive, strict=True) if live), default=0), pairs)


def _raw(nets: Sequence[_Net], keys: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Matrix:
    return np.array(
        [
            [
                1.0,
                *(net.counts[key] for key in keys),
                *(net.live[key] for key in keys),
                net.depth,
                *(net.pairs[pair] for pair in pairs),
            ]
            for net in nets
        ],
        dtype=np.float64,
    ).reshape(len(nets), 2 + 2 * len(keys) + len(pairs))
