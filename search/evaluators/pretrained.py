"""Quality by a regression on nets that were trained before the package was built: nothing is trained in a search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.evaluators.graph_features import PIXELS, pixels
from search.evaluators.quality_regression import QualityRegression, shares
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
        self._pixels = 0
        """Of the known nets' inputs."""
        self._regression: QualityRegression | None = None

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        graphs = [self.space.lower(net) for net in self._known.nets]
        self._pixels = pixels(graphs[0])
        self._regression = QualityRegression(graphs, self._known.qualities, without={PIXELS})

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        assert self._regression is not None, "prepare comes first"
        if not architectures:
            return []
        graphs = [self.space.lower(one) for one in architectures]
        doublings = np.array([math.log2(pixels(graph) / self._pixels) for graph in graphs])
        return shares(self._regression.predict(graphs)[0] + self._known.gain_per_doubling * doublings)

    @override
    def qualities(self, architectures: Sequence[Architecture]) -> Iterator[float]:
        yield from self.quality(architectures)

    @override
    def weights(self, architecture: Architecture) -> nn.Module | None:
        return None
