"""How the different ends of the nets share one classifier. Importing this module loads torch.

Pixel shuffle and transposed convolution classify with as many weights for each class as they make pixels. Each of
them is the shared 1 x 1 classifier followed by a plain enlargement, plus a difference of its own that starts at zero:
so an end that is seldom drawn is as good as the others from the start.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from segmentation.networks.plan import Layer

CLASSIFIER = "head.classes"


def is_variant(layer: Layer) -> bool:
    """Whether the layer is an end that has the shared classifier in it."""
    return layer.name.startswith(("head.shuffle", "head.transposed"))


def shared_weight(layer: Layer, classifier: Tensor) -> Tensor:
    """The layer's weight that does what the classifier (classes x channels x 1 x 1) and an enlargement do."""
    if layer.kind == "conv_transpose":
        return classifier.transpose(0, 1) * bilinear_kernel(layer.stride).to(classifier)
    return _repeated(layer, classifier)


def shared_bias(layer: Layer, bias: Tensor) -> Tensor:
    """The layer's bias that does what the classifier's does."""
    return bias if layer.kind == "conv_transpose" else _repeated(layer, bias)


def _repeated(layer: Layer, values: Tensor) -> Tensor:
    # Pixel shuffle makes neighbouring channels the pixels of one class.
    return values.repeat_interleave(layer.out_channels // values.shape[0], dim=0)


@lru_cache
def bilinear_kernel(factor: int) -> Tensor:
    """Kernel (2 factor x 2 factor) with which a transposed convolution of stride ``factor`` interpolates.

    The same as bilinear resizing with half-pixel centres, away from the border; ``factor`` is even.
    """
    distance = (torch.arange(2 * factor) - (2 * factor - 1) / 2).abs()
    line = 1 - distance / factor
    return line.unsqueeze(1) * line
