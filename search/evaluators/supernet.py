"""Quality by weight sharing: one supernet is trained, each architecture is evaluated with its slice of the weights.

Guo et al., "Single path one-shot neural architecture search with uniform sampling" (arXiv 1904.00420), section 3: the
statistics of batch normalisation are recomputed for each net before it is evaluated. Only nets that keep the budgets
are trained, by the sandwich rule. Importing this module loads torch.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator, Preparation
from search.spaces.plan_space import PlanSpace
from search.spaces.space import SearchSpace
from search.tasks.segmentation import SegmentationTask, passed_on
from search.tasks.task import Task
from segmentation.data.source import batch_of
from segmentation.evaluation import resized
from segmentation.networks.network import Network
from segmentation.normalisation import normalise
from segmentation.pretrained.weights import SUPERNET
from segmentation.supernet.supernet import Supernet, recalibrate
from segmentation.supernet.training import Draw, SupernetSettings, train_supernet

_logger = logging.getLogger(__name__)

Count = Annotated[int, Field(ge=1)]
_STEPS = 400
"""Unless a supernet ships: from that, 100 steps rank worse than one (``benchmarks/ranking.py``)."""


class SupernetEvaluator(Evaluator):
    """Main metric of the task on the first validation images, after recalibration.

    Amounts of training are those of the task's training options; the rest are options of the evaluator.

    Args:
        space: whose nets are evaluated; the supernet's weights have its layers' names.
        task: gives the data, the teacher and the amounts of training.
        folder: of the run; the weights are kept in ``supernet.safetensors``. An interrupted training continues from
            it, a finished one is not repeated.
        seed: of the pool, the training and the calibration images.
        **options: as in ``Options``.

    Raises:
        UserError: the space has no plans, or the task is not segmentation.
    """

    name = "supernet"
    preparation = Preparation(
        files=("supernet.safetensors", "teacher.safetensors"),
        training=(
            "supernet_steps", "batch_size", "pretrained", "teacher_epochs", "training_size", "teacher", "unlabelled",
        ),
    )  # fmt: skip

    class Options(PluginOptions):
        """How many nets are trained together, and how each is evaluated."""

        pool: Count = 48
        """Feasible nets sampled once, from which every step takes its own."""
        random_nets: Annotated[int, Field(ge=0)] = 1
        """Nets of a step besides a large and a small one."""
        calibration_images: Count | None = None
        """Training images for the statistics of batch normalisation; None for as many as are evaluated."""
        calibration_batch: Count = 16
        """Most images in one batch of the calibration."""

    def __init__(self, space: SearchSpace, task: Task, *, folder: Path, seed: int = 0, **options: int) -> None:
        super().__init__(space, task, folder=folder, seed=seed)
        if not isinstance(space, PlanSpace) or not isinstance(task, SegmentationTask):
            raise UserError(
                "evaluator supernet",
                seen=f"the space {space.name}",
                expected="a space of segmentation nets that are plans",
                remedy="write --evaluator training",
            )
        self.options = self.Options.model_validate(options)
        self._space, self._task = space, task
        self._supernet: Supernet | None = None
        self._known: dict[Architecture, float] = {}
        self._calibration: list[Tensor] = []

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        pool = self._pool(sampler)
        training = self._task.options.training
        trained = training.pretrained and self._space.shipped_weights == SUPERNET
        settings = SupernetSettings(
            steps=training.supernet_steps or (1 if trained else _STEPS),
            batch_size=training.batch_size,
            teacher_size=self._task.teacher_size,
            seed=self.seed,
            device=training.device,
        )
        torch.manual_seed(self.seed)
        supernet = self._space.supernet(pretrained=training.pretrained)
        report = passed_on(on_progress, "supernet")

        train_supernet(
            supernet,
            self._task.source,
            lambda rng: sandwich(pool, self.options.random_nets, rng),
            settings,
            teacher=self._task.teacher(on_progress),
            teaching=self._task.teaching(on_progress),
            checkpoint=self.folder / "supernet.safetensors",
            on_progress=lambda moment: report(replace(moment, note=f"{moment.note} over {len(pool)} nets")),
        )
        self._supernet = supernet
        self._known.clear()

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        limit = self._task.options.training.evaluation_images
        for architecture in architectures:
            if architecture not in self._known:
                network = self.weights(architecture)
                self._known[architecture] = self.task.evaluate(architecture, network, limit=limit).value
            else:
                _logger.debug("evaluation of %s taken from the cache", architecture.id)
        return [self._known[architecture] for architecture in architectures]

    @property
    def supernet(self) -> Supernet:
        """The trained weights that the estimates are made with."""
        assert self._supernet is not None, "prepare comes first"
        return self._supernet

    @override
    def weights(self, architecture: Architecture) -> Network:
        network = self.supernet.extract(self._space.plan(architecture))
        size = self._space.input_size(architecture)
        recalibrate(network, [normalise(resized(images, size)) for images in self._calibration_batches()])
        return network

    def _calibration_batches(self) -> list[Tensor]:
        if not self._calibration:
            train = self._task.source.train
            wanted = self.options.calibration_images or self._task.options.training.evaluation_images
            count, size = min(wanted, len(train)), self.options.calibration_batch
            chosen = Random(self.seed).sample(range(len(train)), count)
            parts = np.array_split(chosen, math.ceil(count / size))  # each picture weighs about the same
            self._calibration = [batch_of(train, part.tolist())[0] for part in parts]
        return self._calibration

    def _pool(self, sampler: FeasibleSampler) -> list[Draw]:
        """Nets to train, from the one with the most FLOPs to the one with the fewest."""
        found = sampler(self.options.pool, Random(f"{self.seed}/pool"))
        if not found:
            raise UserError(
                "nets to train", seen="none", expected="some within the budgets", remedy="raise the budgets"
            )
        flops = {architecture: self.space.lower(architecture).flops for architecture in found}
        ordered = sorted(found, key=lambda architecture: -flops[architecture])
        return [(self._space.plan(a), self._space.input_size(a)) for a in ordered]


def sandwich(pool: Sequence[Draw], random_nets: int, rng: Random) -> list[Draw]:
    """One of the largest eighth, one of the smallest eighth and some others of a pool ordered from large to small.

    The largest comes first: the others are distilled from it (Yu et al., "BigNAS", arXiv 2003.11142, section 3.1). It
    is not always the very largest, since the largest net within the budgets need not contain the others.
    """
    end = max(1, len(pool) // 8)
    return [rng.choice(pool[:end]), rng.choice(pool[-end:]), *(rng.choice(pool) for _ in range(random_nets))]
