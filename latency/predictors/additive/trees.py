"""Ensembles of regression trees, grown by scikit-learn but stored as arrays, since scikit-learn stores pickles."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

BOOSTED = 300
"""Number of boosted trees."""


@dataclass(frozen=True)
class Trees:
    """Sum over the trees of the value of the leaf that a row falls into."""

    roots: NDArray[np.int64]
    """trees: number of the node at which each begins."""
    left: NDArray[np.int64]
    """nodes: where rows go whose feature is at most the threshold; a leaf leads to itself."""
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: Vector
    value: Vector
    """nodes: share of the answer, only read at leaves."""
    start: Vector
    """One number that is added to every answer."""

    @staticmethod
    def boosted(rows: Matrix, target: Vector, *, seed: int) -> Trees:
        """Gradient boosting (Friedman 2001) of small trees on subsamples; good for some hundred rows."""
        from sklearn.ensemble import GradientBoostingRegressor

        model = GradientBoostingRegressor(
            n_estimators=BOOSTED, max_depth=3, learning_rate=0.05, subsample=0.7, min_samples_leaf=3, max_features=0.5,
            init="zero", random_state=seed,
        )  # fmt: skip
        mean = float(np.mean(target))
        model.fit(rows, target - mean)
        return _flattened([tree.tree_ for tree in model.estimators_[:, 0]], model.learning_rate, mean)

    @staticmethod
    def forest(rows: Matrix, target: Vector, weight: Vector, *, seed: int) -> Trees:
        """Random forest (Breiman 2001) of full trees."""
        from sklearn.ensemble import RandomForestRegressor

        model = RandomForestRegressor(n_estimators=100, max_features=0.5, random_state=seed, n_jobs=1)
        model.fit(rows, target, sample_weight=weight)
        trees = [tree.tree_ for tree in model.estimators_]
        return _flattened(trees, 1 / len(trees), 0.0)

    def predict(self, rows: Matrix) -> Vector:
        """rows x features to rows."""
        single = rows.astype(np.float32)  # as scikit-learn compares
        number = np.arange(len(rows))[:, None]
        nodes = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        while True:
            lower = single[number, self.feature[nodes]] <= self.threshold[nodes]
            following = np.where(lower, self.left[nodes], self.right[nodes])
            if np.array_equal(following, nodes):
                return np.asarray(self.value[nodes].sum(axis=1) + self.start[0], dtype=np.float64)
            nodes = following

    @staticmethod
    def from_arrays(arrays: dict[str, NDArray[Any]]) -> Trees:
        """From its fields by name; further arrays are ignored.

        Raises:
            KeyError, ValueError: numbers are missing, or lead out of the arrays.
        """
        trees = Trees(**{each.name: arrays[each.name] for each in fields(Trees)})
        count = len(trees.value)
        for name in ("roots", "left", "right"):
            numbers = getattr(trees, name)
            if len(numbers) and not (numbers.min() >= 0 and numbers.max() < count):
                raise ValueError(f"trees with nodes outside of {count}")
        return trees


def _flattened(trees: list[Any], scale: float, start: float) -> Trees:
    counts = [tree.node_count for tree in trees]
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    itself = np.arange(sum(counts))
    shift = np.repeat(offsets, counts)
    feature = np.concatenate([tree.feature for tree in trees]).astype(np.int64)
    leaf = feature < 0
    left, right = (
        np.where(leaf, itself, np.concatenate([getattr(tree, name) for tree in trees]) + shift)
        for name in ("children_left", "children_right")
    )
    return Trees(
        roots=offsets,
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        feature=np.where(leaf, 0, feature),
        threshold=np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
        value=scale * np.concatenate([tree.value[:, 0, 0] for tree in trees]).astype(np.float64),
        start=np.array([start]),
    )
