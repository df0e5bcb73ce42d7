"""Whether an exported file computes what the torch network computes. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.evaluation_mode import evaluation_mode
from export.mask_agreement import mean_iou
from export.tolerance import MASK_IOU_TOLERANCE, MAX_ABS_TOLERANCE

Array = NDArray[np.generic]
Infer = Callable[[Path, Mapping[str, Array]], list[Array]]
"""``Device.infer``."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file's answers are from torch's over ``inputs`` pictures.

    ``max_abs`` is the largest absolute difference of a logit, None for files that answer with masks. ``mask_iou`` is
    the mean over classes of intersection over union of the two masks, pixels of all pictures pooled.
    """

    max_abs: float | None
    mask_iou: float
    inputs: int
    max_abs_tolerance: float = MAX_ABS_TOLERANCE
    mask_iou_tolerance: float = MASK_IOU_TOLERANCE

    @property
    def ok(self) -> bool:
        """Whether both are within tolerance; NaN is not."""
        near = self.max_abs is None or self.max_abs <= self.max_abs_tolerance
        return near and self.mask_iou >= self.mask_iou_tolerance


def check_parity(
    module: nn.Module,
    path: Path,
    infer: Infer,
    images: Sequence[Array],
    *,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    max_abs_tolerance: float = MAX_ABS_TOLERANCE,
    mask_iou_tolerance: float = MASK_IOU_TOLERANCE,
) -> Parity:
    """Runs every image through ``module`` and through the file at ``path``.

    Args:
        module: the network, float32 1 x 3 x height x width to 1 x classes x height x width.
        path: a file that ``export.to_onnx`` wrote.
        infer: runs the file, ``Device.infer``.
        images: inputs as the file takes them: float32 1 x 3 x height x width, or uint8 1 x height x width x 3.
        mean: what a uint8 file subtracts inside; not used for float images.
        std: what a uint8 file divides by inside; not used for float images.
        max_abs_tolerance: largest difference of a logit that still counts as the same network.
        mask_iou_tolerance: smallest agreement of the masks that still does.
    """
    assert images, "parity on no image shows nothing"
    expected = [_reference(module, image, mean, std) for image in images]
    answers = [infer(path, {"image": image})[0] for image in images]
    logits = images[0].dtype != np.uint8
    return Parity(
        max_abs=max(map(_difference, expected, answers)) if logits else None,
        mask_iou=mean_iou([mask_of(e) for e in expected], [mask_of(a) if logits else a for a in answers]),
        inputs=len(images),
        max_abs_tolerance=max_abs_tolerance,
        mask_iou_tolerance=mask_iou_tolerance,
    )


def mask_of(logits: Array) -> Array:
    """Class numbers, batch x height x width, of logits batch x classes x height x width."""
    mask: Array = np.argmax(logits, axis=1).astype(np.uint8)
    return mask


def reference_logits(module: nn.Module, image: Array) -> NDArray[np.float32]:
    """What ``module`` says in evaluation mode; ``image`` float32 batch x 3 x height x width, normalised."""
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    with evaluation_mode(module), torch.no_grad():
        logits: NDArray[np.float32] = module(torch.from_numpy(image).to(device)).cpu().numpy()
    return logits


def _reference(module: nn.Module, image: Array, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    if image.dtype == np.uint8:
        shares = image.astype(np.float32) / 255
        normalised = (shares - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
        image = np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))
    return reference_logits(module, image)


def _difference(expected: Array, answer: Array) -> float:
    if expected.shape != answer.shape:
        return float("inf")
    return float(np.abs(expected.astype(np.float64) - answer.astype(np.float64)).max())
