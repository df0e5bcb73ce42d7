"""Groups of features of whole nets that latency may depend on: counts and work of operators, and what they adjoin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator, OperatorGraph
from latency.predictors.encoding.features import Features
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.operator_table import OperatorTable

Matrix = NDArray[np.float64]
Sums = dict[str, Counter[str]]
"""By group, each feature of a net."""

GROUPS = (
    "constant", "counts", "live_counts", "depth", "live_pairs", "shapes", "flops", "bytes", "flops_at_depth",
    "bytes_at_depth",
)  # fmt: skip
"""Counts are by family, kernel and stride; ``shapes`` count equal operators, sizes included. FLOPs and bytes are summed
by family, and by the depth at which they occur.

All but ``counts`` are of live operators, on which an output depends, also where they depend on no input: runtimes skip
what no output needs but compute with zeros. Depth and pairs are of operators of which both are true.
"""
_JOINTS = ("Add", "Concat", "Mul")
"""Kinds that only join branches: operators on both sides of them count as neighbours."""
_RARE = 0.01
"""Shapes that no larger share of the nets has are left out: a space with many widths has thousands of them."""
_PARTS = 8
"""Into which a net is divided by depth."""
_MOST_KNOWN = 2000
_KNOWN: dict[int, tuple[OperatorGraph, Sums]] = {}
"""Sums by a net's identity."""


@dataclass(frozen=True)
class NetGroups:
    """The features that occurred in a set of nets, standardised on them; frozen."""

    keys: Mapping[str, tuple[str, ...]]
    """By group."""
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @staticmethod
    def learn(graphs: Sequence[OperatorGraph], groups: Sequence[str] = GROUPS) -> NetGroups:
        """From the nets of the source devices."""
        nets = _sums(graphs)
        keys = {group: _keys(nets, group) for group in groups}
        raw = _raw(nets, keys)
        mean, deviation = raw.mean(axis=0), raw.std(axis=0)
        # A feature that never varied counts by how much a new net differs, relative to what all others had.
        varies = deviation > 1e-9 * (1 + np.abs(mean))
        return NetGroups(keys, mean, np.where(varies, deviation, np.maximum(1.0, np.abs(mean))))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the groups."""
        return tuple(self.keys)

    @property
    def group(self) -> NDArray[np.int64]:
        """features: index into ``names``."""
        return np.repeat(np.arange(len(self.keys)), [len(keys) for keys in self.keys.values()])

    def encode(self, graphs: Sequence[OperatorGraph]) -> Matrix:
        """nets x features: standardised, each group over the root of its width; unknown operators are left out."""
        values = (_raw(_sums(graphs), self.keys) - self.mean) / self.scale
        if "constant" in self.keys:
            values[:, self.group == self.names.index("constant")] = 1.0
        widths = np.bincount(self.group, minlength=len(self.keys))
        result: Matrix = values / np.sqrt(widths[self.group])
        return result

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        keys = [[group, list(its)] for group, its in self.keys.items()]
        return {"keys": keys, "mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> NetGroups:
        """Reads ``to_json``.

        Raises:
            KeyError, TypeError, ValueError: not such a document.
        """
        keys = {str(group): tuple(map(str, its)) for group, its in document["keys"]}
        mean, scale = (np.array(document[name], np.float64) for name in ("mean", "scale"))
        groups = NetGroups(keys, mean, scale)
        if not set(keys) <= set(GROUPS) or not len(groups.mean) == len(groups.scale) == len(groups.group):
            raise ValueError("net features of another layout")
        return groups


def _keys(nets: Sequence[Sums], group: str) -> tuple[str, ...]:
    found = Counter(key for net in nets for key in net[group])
    least = _RARE * len(nets) if group == "shapes" else 0
    return tuple(sorted(key for key, count in found.items() if count > least))


def _sums(graphs: Sequence[OperatorGraph]) -> list[Sums]:
    """Several predictors in turn ask for the same nets."""
    table = OperatorTable()
    found = []
    for graph in graphs:
        known = _KNOWN.get(id(graph))
        if known is None:
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            # It keeps the graph alive, so an identity is never reused for another one.
            known = _KNOWN[id(graph)] = (graph, _sums_of(graph, table))
        found.append(known[1])
    return found


def _sums_of(graph: OperatorGraph, table: OperatorTable) -> Sums:
    features = [table.features[row] for row in table.rows(graph)]
    keys = [each.key for each in features]
    lively = liveness(graph)
    depth, pairs = _paths(graph, keys, [bool(read and used) for read, used in lively])
    found: Sums = {group: Counter() for group in GROUPS}
    found["constant"][""] = 1
    found["counts"].update(keys)
    found["depth"][""] = max(depth, default=0)
    found["live_pairs"] = pairs
    for place in np.flatnonzero(lively[:, 1]).tolist():
        found["live_counts"][keys[place]] += 1
        part = _PARTS * depth[place] // (1 + found["depth"][""])
        _add_work(found, graph.operators[place], features[place], str(part))
    return found


def _add_work(found: Sums, operator: Operator, features: Features, part: str) -> None:
    moved = operator.bytes_read + operator.bytes_written
    found["flops"][features.family] += operator.flops
    found["bytes"][features.family] += moved
    found["flops_at_depth"][part] += operator.flops
    found["bytes_at_depth"][part] += moved
    found["shapes"][f"{features.key} {operator.input_shapes} {operator.output_shapes}"] += 1


def _paths(graph: OperatorGraph, keys: Sequence[str], alive: Sequence[bool]) -> tuple[list[int], Counter[str]]:
    """Depth of each operator, zero where it is not alive, and the pairs of neighbours that are."""
    depth = [0] * len(keys)
    before: list[set[int]] = []
    pairs: Counter[str] = Counter()
    for place, sources in enumerate(graph.inputs):
        producers = {source for source in sources if source >= 0 and alive[source]}
        joint = graph.operators[place].kind in _JOINTS
        neighbours = {each for source in producers for each in before[source]}
        if alive[place]:
            depth[place] = max((depth[source] for source in producers), default=0) + (not joint)
            if not joint:
                pairs.update(f"{keys[each]} > {keys[place]}" for each in neighbours)
        before.append(neighbours if joint else {place})
    return depth, pairs


def _raw(nets: Sequence[Sums], keys: Mapping[str, tuple[str, ...]]) -> Matrix:
    rows = [[net[group][key] for group, its in keys.items() for key in its] for net in nets]
    return np.array(rows, dtype=np.float64).reshape(len(nets), sum(map(len, keys.values())))
