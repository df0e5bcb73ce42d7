"""Quality by a regression on nets that were trained before the package was built: nothing is trained in a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.evaluators.fitted import fitted
from search.evaluators.graph_features import PIXELS, feature_matrix, graph_features
from search.spaces.space import SearchSpace
from search.tasks.task import Task

if TYPE_CHECKING:
    from torch import nn


class PretrainedEvaluator(Evaluator):
    """What a net would have reached where the space's ``trained_nets`` were trained; the task's data is not looked at.

    The same net gains alike from each doubling of its input's pixels.

    Args:
        space: of the architectures, with nets trained in advance.
        task: is not used.
        folder: is not used.
        seed: is not used.

    Raises:
        UserError: the space has no such nets.
    """

    name = "pretrained"
    usual_trials = 2000

    def __init__(self, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0) -> None:
        super().__init__(space, task, folder=folder, seed=seed)
        known = space.trained_nets()
        if known is None:
            raise UserError(
                "evaluator pretrained", seen=f"the space {space.name}, of which no nets were trained in advance",
                expected="a space with such nets, as portrait", remedy="take --evaluator regression or training",
            )  # fmt: skip
        self._known = known
        self._names: list[str] = []
        self._pixels = 0.0
        self._model: Any = None

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        rows = [graph_features(self.space.lower(net)) for net in self._known.nets]
        self._names = sorted({name for row in rows for name in row} - {PIXELS})
        self._pixels = rows[0][PIXELS]
        self._model = fitted(feature_matrix(rows, self._names), self._known.qualities)

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        assert self._model is not None, "prepare comes first"
        if not architectures:
            return []
        rows = [graph_features(self.space.lower(one)) for one in architectures]
        doublings = np.array([row[PIXELS] - self._pixels for row in rows]) / math.log(2)
        predicted = self._model.predict(feature_matrix(rows, self._names))
        estimates = np.clip(predicted + self._known.gain_per_doubling * doublings, 0, 1)
        # The last digits depend on how many are predicted at once.
        return [round(float(value), 9) for value in estimates]

    @override
    def weights(self, architecture: Architecture) -> nn.Module | None:
        return None
