"""What a network learns before a user's data: synthetic scenes of people. Importing this module loads torch."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from foundation.progress import ignore_progress
from segmentation.data.source import PERSON_CLASSES
from segmentation.data.synthetic.source import SyntheticPeople, SyntheticSource
from segmentation.training.loop import OnTrainingProgress
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train

_SIZE = (128, 128)
"""Whatever the network's own input is: scenes have people at all scales, and larger ones take longer."""
_BATCH = 16
_MOST_SCENES = 4000
_VALIDATION = 16


def learn_scenes(
    network: nn.Module,
    steps: int,
    *,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    on_progress: OnTrainingProgress = ignore_progress,
) -> None:
    """Trains ``network`` in place to tell people from background (``benchmarks/recipe.py`` shows what it is worth).

    Args:
        network: of two classes; 128 x 128 is an input that it takes.
        steps: updates of 16 scenes, of at most 4,000 different ones.
        seed: of scenes, order and augmentation.
        threads: of torch.
        device: as of ``TrainSettings``.
        checkpoint: is continued, or taken as it is where it was finished.
        on_progress: called after each update.

    Raises:
        UserError: as ``train``.
    """
    settings = TrainSettings(
        input_size=_SIZE, steps=steps, batch_size=_BATCH, seed=seed, threads=threads, device=device
    )
    train(network, _scenes(steps, seed), settings, checkpoint=checkpoint, on_progress=on_progress)


def _scenes(steps: int, seed: int) -> SyntheticSource:
    """No more than are used; the validation part is small and the test part empty: nothing is chosen by them."""
    count = min(_MOST_SCENES, steps * _BATCH)
    return SyntheticSource(
        name=f"synthetic:{count}?people",
        classes=PERSON_CLASSES,
        train=SyntheticPeople(count, seed=2 * seed, size=_SIZE),
        validation=SyntheticPeople(_VALIDATION, seed=2 * seed + 1, size=_SIZE),
        test=SyntheticPeople(0, size=_SIZE),
    )
