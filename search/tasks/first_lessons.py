"""A net before it sees a user's data. Importing this module loads torch."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import torch
from torch import nn

from search.architecture import Architecture
from search.spaces.plan_space import PlanSpace
from segmentation.pretrained.weights import take_fitting
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


def pretrained(
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
    """The net with the weights that ship for its space, after ``steps`` updates on synthetic scenes of people.

    Its head is fresh unless it has two classes.

    Raises:
        UserError: as ``learn_scenes``.
        KeyboardInterrupt: on Ctrl-C, after the checkpoint was written.
    """
    of_people = space.for_classes(_PERSON_CLASSES)
    torch.manual_seed(seed)
    student = (of_people.pretrained if isinstance(of_people, PlanSpace) else of_people.build)(architecture)
    if steps:
        learn_scenes(
            student, steps, seed=seed, threads=threads, device=device, checkpoint=checkpoint, on_progress=on_progress
        )
    torch.manual_seed(seed)
    network = space.build(architecture)
    take_fitting(network, student.state_dict())
    return network
