"""Losses of dense prediction: cross-entropy, soft Dice and knowledge distillation.

Logits are ``batch x classes x height x width``; targets ``batch x height x width``, int64, with ``IGNORE`` for pixels
that carry no label.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = 255
"""Label of pixels that no loss and no metric counts."""
_HALF_STEP = 0.5 / 255
"""Of a probability that is stored in 8 bits."""


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy over labelled pixels; 0 when none is labelled."""
    labelled = (target != IGNORE).sum().clamp(min=1)
    return functional.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum") / labelled


def dice(logits: Tensor, target: Tensor, *, smooth: float = 1.0) -> Tensor:
    """One minus the soft Dice coefficient, averaged over the classes that occur in ``target``.

    Sums run over the whole batch (Milletari et al., V-Net, 2016, equation 3, with the plain rather than the squared
    denominator). A class without a labelled pixel is left out: its coefficient would only measure the
    network's uncertainty.
    """
    labelled = (target != IGNORE).unsqueeze(1)
    truth = _one_hot(target, logits.shape[1]) * labelled
    predicted = logits.softmax(1) * labelled
    axes = (0, 2, 3)
    overlap = (predicted * truth).sum(axes)
    size = predicted.sum(axes) + truth.sum(axes)
    coefficient = (2 * overlap + smooth) / (size + smooth)
    present = (truth.sum(axes) > 0).to(logits.dtype)
    return ((1 - coefficient) * present).sum() / present.sum().clamp(min=1)


def segmentation_loss(logits: Tensor, target: Tensor, *, dice_weight: float = 1.0) -> Tensor:
    """Cross-entropy plus weighted Dice."""
    return cross_entropy(logits, target) + dice_weight * dice(logits, target)


def distillation(student: Tensor, teacher: Tensor, *, temperature: float = 2.0) -> Tensor:
    """Mean over pixels of ``T^2 KL(teacher || student)`` at temperature T (Hinton et al., 2015).

    The teacher's logits are first resized to the student's size; no gradient flows into the teacher.
    """
    teacher = match_size(teacher.detach(), student.shape[-2:])
    log_student = (student / temperature).log_softmax(1)
    log_teacher = (teacher / temperature).log_softmax(1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(1)
    return divergence.mean() * temperature**2


def distillation_from_probabilities(student: Tensor, probabilities: Tensor, *, temperature: float = 2.0) -> Tensor:
    """``distillation`` from a teacher's stored probabilities, ``batch x classes x h x w``.

    They are kept away from 0 and 1 by half a step of 1/255, so that no pixel counts much more than others. An image
    whose probabilities are all 0 has none and does not count.
    """
    known = probabilities.amax((1, 2, 3)) > 0
    if not known.any():
        return student.sum() * 0
    logits = probabilities[known].clamp(_HALF_STEP, 1 - _HALF_STEP).log()
    return distillation(student[known], logits, temperature=temperature)


def match_size(logits: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    """Logits (``batch x classes x h x w``) resized bilinearly to ``size`` (height, width)."""
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return functional.interpolate(logits, size=list(size), mode="bilinear", align_corners=False)


def _one_hot(target: Tensor, classes: int) -> Tensor:
    """``batch x classes x height x width``; pixels with ``IGNORE`` are put into class 0 and masked by the caller."""
    known = target.where(target != IGNORE, torch.zeros_like(target))
    return functional.one_hot(known, classes).movedim(-1, 1).float()
