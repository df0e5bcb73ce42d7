"""Whether an exported file computes what the torch network computes. Importing this module loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import InputKind
from export.source import INPUT_NAME
from foundation.evaluation_mode import evaluation_mode
from foundation.picture import Pixels

if TYPE_CHECKING:
    from torch import nn

Array = NDArray[np.generic]
Infer = Callable[[Path, Mapping[str, Array]], list[Array]]
"""``Device.infer``."""

# Runtimes that were tried differ from torch by about 1e-7 in single precision and by 2e-3 with half-precision kernels;
# the limit lies between them. Masks may differ where two classes are equal to the last digit.
MAX_ABS_TOLERANCE = 1e-3
MASK_IOU_TOLERANCE = 0.99


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs of a network by name and torch's outputs.

    ``pixels``, uint8 1 x height x width x 3, is the picture that a segmentation network's input was made of; its output
    are logits, 1 x classes x height x width.
    """

    inputs: Mapping[str, Array]
    outputs: tuple[Array, ...]
    pixels: Pixels | None = None
    natural: bool = True
    """False for noise, on which a file of lower precision need not agree."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a picture."""
        assert self.pixels is not None, "only pictures have a size"
        return self.pixels.shape[1], self.pixels.shape[2]

    def feeds(self, kind: InputKind) -> Mapping[str, Array]:
        """The inputs of a file of this kind."""
        if kind == "tensors":
            return self.inputs
        assert self.pixels is not None, "only segmentation networks have files that take pixels"
        return {INPUT_NAME: self.pixels}


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file's outputs are from torch's.

    ``max_abs`` is the largest absolute difference of an output, None for files that return masks. Of a network that
    does not segment pictures it is in parts of the output's largest number, where that is above one. ``mask_iou`` is
    the mean over classes of intersection over union of the two masks, pixels of all pictures pooled; None for networks
    that do not segment pictures.
    """

    max_abs: float | None
    mask_iou: float | None
    exact: bool = True
    """False for a file of lower precision, of which the masks alone are compared."""

    @property
    def ok(self) -> bool:
        """Whether both are within tolerance; NaN is not."""
        near = self.max_abs is None or self.max_abs <= (MAX_ABS_TOLERANCE if self.exact else float("inf"))
        return near and (self.mask_iou is None or self.mask_iou >= MASK_IOU_TOLERANCE)

    def __str__(self) -> str:
        parts = [] if self.max_abs is None else [f"largest difference {self.max_abs:.1e}"]
        parts += [] if self.mask_iou is None else [f"mask IoU {self.mask_iou:.4f}"]
        return ", ".join(parts)


def worst(parities: Sequence[Parity]) -> Parity:
    """The largest difference and the smallest agreement of masks, of one file on several groups of examples."""
    differences = [one.max_abs for one in parities if one.max_abs is not None]
    agreements = [one.mask_iou for one in parities if one.mask_iou is not None]
    return Parity(max(differences, default=None), min(agreements, default=None), parities[0].exact)


def check_parity(
    path: Path, examples: Sequence[Example], infer: Infer, kind: InputKind = "tensors", *, exact: bool = True
) -> Parity:
    """Runs every example through the file at ``path`` with ``infer`` and compares the outputs with torch's.

    A file that takes ``pixels`` is compared by its masks, any other one by its outputs, and by its masks where it
    segments pictures.
    """
    assert examples, "parity on no example shows nothing"
    answers = [infer(path, example.feeds(kind)) for example in examples]
    if kind == "pixels":
        return Parity(None, mean_iou([_mask(e.outputs[0]) for e in examples], [masks[0] for masks in answers]))
    pairs = [(example.outputs, answer) for example, answer in zip(examples, answers, strict=True)]
    if any(example.pixels is None for example in examples):
        return Parity(largest_difference(pairs, scaled=True), None)
    max_abs = largest_difference(pairs)
    if max_abs == float("inf"):
        return Parity(max_abs, 0.0, exact)
    iou = mean_iou([_mask(example.outputs[0]) for example in examples], [_mask(answer[0]) for answer in answers])
    return Parity(max_abs, iou, exact)


def largest_difference(runs: Sequence[tuple[Sequence[Array], Sequence[Array]]], *, scaled: bool = False) -> float:
    """The largest absolute difference of expected outputs and answers, over all runs; infinite for another shape.

    ``scaled`` gives it in parts of the expected output's largest number, where that is above one.
    """
    # Unlike max, np.max keeps a NaN wherever it is.
    return float(np.max([_difference(expected, answers, scaled=scaled) for expected, answers in runs]))


def mean_iou(expected: Sequence[Array], answers: Sequence[Array]) -> float:
    """Intersection over union per class that occurs in either, pixels of all masks pooled, mean over the classes.

    Masks hold class numbers; two of different shape do not agree at all (0).
    """
    if any(e.shape != a.shape for e, a in zip(expected, answers, strict=True)):
        return 0.0
    truth = np.concatenate([mask.ravel() for mask in expected])
    guess = np.concatenate([mask.ravel() for mask in answers])
    shares = [
        np.count_nonzero((truth == label) & (guess == label)) / np.count_nonzero((truth == label) | (guess == label))
        for label in np.union1d(truth, guess)
    ]
    return float(np.mean(shares))


def torch_outputs(module: nn.Module, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
    """The outputs of ``module`` in evaluation mode. Loads torch."""
    import torch

    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    with evaluation_mode(module), torch.no_grad():
        outputs = module(*[torch.from_numpy(array).to(device) for array in inputs.values()])
    return tuple(output.cpu().numpy() for output in (outputs if isinstance(outputs, (tuple, list)) else [outputs]))


def _mask(logits: Array) -> Array:
    mask: Array = np.argmax(logits, axis=1)
    return mask


def _difference(expected: Sequence[Array], answers: Sequence[Array], *, scaled: bool) -> float:
    if [e.shape for e in expected] != [a.shape for a in answers]:
        return float("inf")
    pairs = [(e.astype(np.float64), a.astype(np.float64)) for e, a in zip(expected, answers, strict=True)]
    return float(np.max([np.abs(e - a).max(initial=0) / (np.abs(e).max(initial=1) if scaled else 1) for e, a in pairs]))
