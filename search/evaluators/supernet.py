"""Quality by weight sharing: one supernet is trained, each architecture is judged with its slice of the weights.

Guo et al., "Single path one-shot neural architecture search with uniform sampling" (arXiv 1904.00420), section 3:
statistics of batch normalisation are set anew for each net before it is judged. Only nets that keep the budgets are
trained, by the sandwich rule. Importing this module loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn

from foundation.errors import UserError
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.progress import OnProgress, Progress, ignore_progress
from search.spaces.space import SearchSpace
from segmentation.data.source import DataSource, batch_of
from segmentation.evaluation import evaluate, resized
from segmentation.networks.network import Network
from segmentation.normalisation import normalise
from segmentation.supernet.supernet import Supernet, recalibrate
from segmentation.supernet.training import Draw, SupernetSettings, train_supernet
from segmentation.training.loop import TrainingProgress


@dataclass(frozen=True, slots=True)
class SupernetEvaluation:
    """How many nets are trained together, and how each is judged."""

    pool: int = 128
    """Feasible nets drawn once, from which every step takes its own."""
    random_nets: int = 2
    """Nets of a step besides a large and a small one."""
    calibration_images: int = 48
    """Training images from which the statistics of batch normalisation are set."""
    validation_images: int = 64
    batch_size: int = 16
    training: SupernetSettings = field(default_factory=SupernetSettings)


class SupernetEvaluator(Evaluator):
    """Mean intersection over union on the first validation images, after recalibration.

    Args:
        space: whose nets are judged; the supernet's weights have its layers' names.
        source: data to train on and to judge by.
        settings: amounts.
        teacher: gives a trained net whose logits the supernet learns too, once training begins; None, or a teacher
            that is None, for in-place distillation alone.
        checkpoint: file for the supernet's weights; an interrupted training goes on from it, a finished one is not
            repeated.
    """

    name = "supernet"

    def __init__(
        self,
        space: SearchSpace,
        source: DataSource,
        settings: SupernetEvaluation | None = None,
        *,
        teacher: Callable[[], nn.Module | None] | None = None,
        checkpoint: Path | None = None,
    ) -> None:
        self.space = space
        self.source = source
        self.settings = settings or SupernetEvaluation()
        self.teacher = teacher
        self.checkpoint = checkpoint
        self.supernet: Supernet | None = None
        self._known: dict[Architecture, float] = {}
        self._calibration: list[Tensor] = []

    @property
    def classes(self) -> int:
        """Number of the source's classes."""
        return len(self.source.classes)

    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        """Trains the supernet, or goes on from the checkpoint.

        Raises:
            UserError: the sampler found no net that keeps the budgets.
            UserError: the checkpoint belongs to another training.
            KeyboardInterrupt: after the step in hand was saved.
        """
        pool = self._pool(sampler)
        training = self.settings.training
        torch.manual_seed(training.seed)
        supernet = Supernet(self.classes)

        def told(progress: TrainingProgress) -> None:
            note = f"{progress.note} over {len(pool)} nets"
            on_progress(Progress("supernet", progress.done, progress.total, note=note))

        train_supernet(
            supernet,
            self.source,
            lambda rng: sandwich(pool, self.settings.random_nets, rng),
            training,
            teacher=None if self.teacher is None else self.teacher(),
            checkpoint=self.checkpoint,
            resume=True,
            on_progress=told,
        )
        self.supernet = supernet
        self._known.clear()

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        """Mean intersection over union of each; remembered."""
        return [self._quality(architecture) for architecture in architectures]

    def network(self, architecture: Architecture) -> Network:
        """The net with its slice of the supernet's weights, recalibrated: where its full training starts from."""
        assert self.supernet is not None, "prepare comes first"
        network = self.supernet.extract(self.space.plan(architecture, classes=self.classes))
        size = self.space.input_size(architecture)
        recalibrate(network, [normalise(resized(images, size)) for images in self._calibration_batches()])
        return network

    def _quality(self, architecture: Architecture) -> float:
        if architecture not in self._known:
            quality = evaluate(
                self.network(architecture),
                self.source.validation,
                self.space.input_size(architecture),
                batch_size=self.settings.batch_size,
                limit=self.settings.validation_images,
            )
            self._known[architecture] = quality.mean_iou
        return self._known[architecture]

    def _calibration_batches(self) -> list[Tensor]:
        if not self._calibration:
            count = min(self.settings.calibration_images, len(self.source.train))
            chosen = Random(self.settings.training.seed).sample(range(len(self.source.train)), count)
            size = self.settings.batch_size
            chunks = [chosen[start : start + size] for start in range(0, count, size)]
            self._calibration = [batch_of(self.source.train, chunk)[0] for chunk in chunks]
        return self._calibration

    def _pool(self, sampler: FeasibleSampler) -> list[Draw]:
        """Nets to train, from the one with the most FLOPs to the one with the fewest."""
        found = sampler(self.settings.pool, Random(f"{self.settings.training.seed}/pool"))
        if not found:
            raise UserError(
                "nets to train", seen="none", expected="some within the budgets", remedy="raise the budgets"
            )
        flops = {a: self.space.lower(a, classes=self.classes).flops for a in found}
        ordered = sorted(found, key=lambda architecture: -flops[architecture])
        return [(self.space.plan(a, classes=self.classes), self.space.input_size(a)) for a in ordered]


def sandwich(pool: Sequence[Draw], random_nets: int, rng: Random) -> list[Draw]:
    """One of the largest eighth, one of the smallest eighth and some others of a pool ordered from large to small.

    The largest comes first: it teaches (Yu et al., "BigNAS", arXiv 2003.11142, section 3.1). It is drawn from an eighth
    and is not always the very largest, since the largest net within the budgets need not contain the others.
    """
    end = max(1, len(pool) // 8)
    return [rng.choice(pool[:end]), rng.choice(pool[-end:]), *(rng.choice(pool) for _ in range(random_nets))]
