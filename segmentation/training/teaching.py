"""What a network learns from besides masks: a teacher's stored outputs, and photographs without masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segmentation.data.source import DataSource, PairDataset, batch_of
from segmentation.training.soft_labels import SoftLabels


@dataclass(frozen=True, slots=True)
class StoredTargets:
    """What a teacher said of the training pictures, and of the photographs without masks."""

    teacher: str
    """Text that changes whenever the teacher does."""
    labelled: SoftLabels
    """Of the training part, in its order."""
    unlabelled: SoftLabels | None = None
    """Of the photographs without masks, in their order."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The pictures of one step."""

    images: Tensor
    """float32 ``batch x 3 x height x width`` in 0..1."""
    masks: Tensor
    """int64 ``batch x height x width``; photographs without masks have no labelled pixel."""
    probabilities: Tensor | None = None
    """The teacher's, ``batch x classes x h x w``; all 0 for a picture on which it failed."""

    def on(self, device: torch.device) -> Batch:
        """The same batch on ``device``."""
        probabilities = None if self.probabilities is None else self.probabilities.to(device)
        return Batch(self.images.to(device), self.masks.to(device), probabilities)


@dataclass(frozen=True, slots=True)
class Teaching:
    """Without anything a network learns from the masks alone, or from a teacher that runs in every step."""

    stored: StoredTargets | None = None
    unlabelled: PairDataset | None = None
    """Photographs without masks; as many of them as labelled ones are in every batch."""

    @property
    def identity(self) -> str:
        """Text that changes whenever the stored outputs or the photographs do; empty where there are none."""
        teacher = "" if self.stored is None else self.stored.teacher
        photographs = "" if self.unlabelled is None else self.unlabelled.fingerprint
        return f"{teacher} {photographs}".strip()

    @property
    def count(self) -> int:
        """Number of photographs without masks."""
        return 0 if self.unlabelled is None else len(self.unlabelled)

    def batch(self, source: DataSource, labelled: Sequence[int], unlabelled: Sequence[int] = ()) -> Batch:
        """The pictures with these numbers of the training part, then of the photographs without masks."""
        images, masks = batch_of(source.train, labelled)
        if self.unlabelled is not None:
            more_images, more_masks = batch_of(self.unlabelled, unlabelled)
            images, masks = torch.cat([images, more_images]), torch.cat([masks, more_masks])
        if self.stored is None:
            return Batch(images, masks)
        probabilities = self.stored.labelled.batch(labelled)
        if self.stored.unlabelled is not None:
            probabilities = torch.cat([probabilities, self.stored.unlabelled.batch(unlabelled)])
        return Batch(images, masks, probabilities)


NO_TEACHING = Teaching()
