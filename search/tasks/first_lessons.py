"""A net before it sees a user's data. Importing this module loads torch."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import torch
from torch import nn

from search.architecture import Architecture
from segmentation.pretrained.weights import SMALL_ENCODER, Name, take_fitting
from segmentation.training.loop import OnTrainingProgress
from segmentation.training.scenes import learn_scenes

_PERSON_CLASSES = 2


class Nets(Protocol):
    """What segmentation needs of a space."""

    def build(self, architecture: Architecture) -> nn.Module:
        """The net with fresh weights."""

    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the net's input."""

    def for_classes(self, classes: int) -> Self:
        """The same space for another number of classes."""


@runtime_checkable
class NetsWithShippedWeights(Nets, Protocol):
    """Nets for which weights may ship."""

    @property
    def shipped_weights(self) -> Name | None:
        """Which of the package's weights."""

    def pretrained(self, architecture: Architecture) -> nn.Module:
        """The net with those of its weights that ship; the others are fresh."""


def taught_by_scenes(
    space: Nets,
    architecture: Architecture,
    steps: int,
    *,
    seed: int,
    threads: int,
    device: str,
    checkpoint: Path,
    on_progress: OnTrainingProgress,
) -> nn.Module:
    """The net after ``steps`` updates on synthetic scenes of people; its head is fresh unless it has two classes.

    Raises:
        UserError: as ``learn_scenes``.
        KeyboardInterrupt: on Ctrl-C, after the checkpoint was written.
    """
    student = with_shipped_encoder(space.for_classes(_PERSON_CLASSES), architecture, seed=seed)
    learn_scenes(
        student, steps, seed=seed, threads=threads, device=device, checkpoint=checkpoint, on_progress=on_progress
    )
    torch.manual_seed(seed)
    network = space.build(architecture)
    take_fitting(network, student.state_dict())
    return network


def with_shipped_encoder(space: Nets, architecture: Architecture, *, seed: int) -> nn.Module:
    """The net before a full training: its encoder with weights that ship, where some do; the rest is fresh.

    A slice of the supernet that ships gains nothing there (``benchmarks/recipe.py``); the encoder seems to be worth a
    point (``benchmarks/pretraining_encoder.py``).
    """
    if isinstance(space, NetsWithShippedWeights) and space.shipped_weights == SMALL_ENCODER:
        return with_shipped_weights(space, architecture, seed=seed)
    torch.manual_seed(seed)
    return space.build(architecture)


def with_shipped_weights(space: Nets, architecture: Architecture, *, seed: int) -> nn.Module:
    """The net with weights that ship for its space; the rest is fresh, and so is a head of other than two classes."""
    torch.manual_seed(seed)
    network = space.build(architecture)
    of_people = space.for_classes(_PERSON_CLASSES)
    if isinstance(of_people, NetsWithShippedWeights) and of_people.shipped_weights is not None:
        take_fitting(network, of_people.pretrained(architecture).state_dict())
    return network
