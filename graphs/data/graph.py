"""A graph with features and classes of its nodes, as node classification needs it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError
from graphs.graph_size import GraphSize

Split = Literal["train", "validation", "test"]
Indices = NDArray[np.int64]
MAX_NUMBERS = 2**28
"""Most numbers of a feature matrix (1 GiB)."""


@dataclass(frozen=True)
class Graph:
    """An undirected graph. Nothing is copied; the arrays must not be changed.

    Raises:
        UserError: arrays that do not fit together; no node of a class is in the training split; two splits overlap.
    """

    name: str
    """Text that opens the same graph again."""
    features: NDArray[np.float32]
    """Nodes x features."""
    labels: Indices
    """Class of each node, from 0."""
    edges: Indices
    """Edges x 2: nodes, each pair once, the smaller number first, no node with itself (``unique_edges``)."""
    train: Indices
    validation: Indices
    test: Indices

    def __post_init__(self) -> None:
        nodes = len(self.features)
        if self.features.ndim != 2 or not self.features.size or not np.isfinite(self.features).all():
            raise self._refused("features", self.features.shape, "nodes x features, all finite")
        if self.labels.shape != (nodes,) or self.labels.min() < 0 or self.labels.max() >= nodes:
            raise self._refused("labels", self.labels.shape, f"the class of each of the {nodes} nodes, from 0")
        if not len(self.edges) or self.edges.min() < 0 or self.edges.max() >= nodes:
            raise self._refused("edges", self.edges.shape, f"pairs of nodes from 0 to {nodes - 1}")
        self._check_splits()

    def _check_splits(self) -> None:
        nodes = np.concatenate([self.train, self.validation, self.test])
        if not (len(self.train) and len(self.validation) and len(self.test)):
            raise self._refused("splits", "an empty one", "nodes in train, validation and test")
        if nodes.min() < 0 or nodes.max() >= len(self.labels) or len(np.unique(nodes)) != len(nodes):
            raise self._refused("splits", "a node twice, or an unknown one", "different nodes of the graph")
        missing = set(range(self.classes)) - set(self.labels[self.train].tolist())
        if missing or self.classes < 2:
            raise self._refused(
                "classes", f"no training node of class {min(missing, default=1)}", "two classes at least, each in train"
            )

    def _refused(self, what: str, seen: object, expected: str) -> UserError:
        return UserError(f"{what} of the graph {self.name}", seen=seen, expected=expected, remedy="mend the data")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.labels.max()) + 1

    @cached_property
    def size(self) -> GraphSize:
        """Its sizes."""
        neighbours = np.bincount(self.edges.reshape(-1), minlength=len(self.labels))
        return GraphSize(len(self.labels), len(self.edges), int(neighbours.max()), self.features.shape[1])

    @cached_property
    def messages(self) -> tuple[Indices, Indices]:
        """Sender and receiver of each message: both directions of the edges and each node to itself, by receiver."""
        loops = np.arange(len(self.labels))
        senders = np.concatenate([self.edges[:, 0], self.edges[:, 1], loops])
        receivers = np.concatenate([self.edges[:, 1], self.edges[:, 0], loops])
        order = np.argsort(receivers, kind="stable")
        return senders[order], receivers[order]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all arrays: equal for equal data."""
        digest = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                digest.update(f"{field.name} {value.dtype} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).data)
        return digest.hexdigest()


def unique_edges(pairs: Indices) -> Indices:
    """Each pair of neighbours once, the smaller number first, without pairs of a node with itself."""
    ordered = np.sort(pairs, axis=1)
    return np.unique(ordered[ordered[:, 0] != ordered[:, 1]], axis=0).reshape(-1, 2)


def with_rows_of_sum_one(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divides each row by its sum (Kipf & Welling, ICLR 2017, section 5.2); rows of zeros stay."""
    sums = features.sum(axis=1, keepdims=True)
    return np.divide(features, np.where(sums == 0, 1, sums), dtype=np.float32)
