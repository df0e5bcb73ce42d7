"""A teacher's outputs for the pictures of a data set, computed once and kept in 8 bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Probabilities of every class but the first, whose share is what is left."""

    planes: Tensor
    """uint8 ``pictures x (classes - 1) x height x width``: 255 times the probability."""
    known: Tensor
    """bool ``pictures``: False where the teacher failed."""

    @classmethod
    def joined(cls, parts: Iterable[SoftLabels]) -> SoftLabels:
        """The labels of several parts, one after the other."""
        found = list(parts)
        return cls(torch.cat([part.planes for part in found]), torch.cat([part.known for part in found]))

    def __len__(self) -> int:
        return len(self.known)

    def batch(self, indices: Sequence[int]) -> Tensor:
        """Probabilities, float32 ``batch x classes x height x width``; all 0 for a picture without an answer."""
        chosen = torch.tensor(indices, dtype=torch.long)
        others = self.planes[chosen].float() / 255
        first = (1 - others.sum(1, keepdim=True)).clamp(min=0)
        return torch.cat([first, others], 1) * self.known[chosen].view(-1, 1, 1, 1)

    def only_known(self) -> tuple[list[int], SoftLabels]:
        """The numbers of the pictures on which the teacher did not fail, and their labels."""
        return torch.nonzero(self.known).flatten().tolist(), SoftLabels(self.planes[self.known], self.known[self.known])


def soft_label(probabilities: Tensor) -> Tensor:
    """The planes of one picture: uint8 of float ``classes x height x width``."""
    return (255 * probabilities[1:]).round().clamp(0, 255).to(torch.uint8)
