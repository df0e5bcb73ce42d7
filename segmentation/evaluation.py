"""Scores a network on a data set."""

from __future__ import annotations

from collections.abc import Sized
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from foundation.evaluation_mode import evaluation_mode
from segmentation.data.source import batch_of
from segmentation.losses import match_size
from segmentation.metrics import ConfusionMatrix, Quality
from segmentation.normalisation import normalise
from segmentation.part_scores import Predict, Prediction


def evaluate(
    network: nn.Module,
    dataset: Dataset[tuple[Tensor, Tensor]],
    input_size: tuple[int, int],
    *,
    batch_size: int = 8,
    limit: int | None = None,
) -> Quality:
    """Scores of ``network`` on ``dataset``, or on its first ``limit`` pairs.

    Images are resized to ``input_size`` (height, width) and normalised; logits are resized to the masks' own size
    before the arg-max, so that networks of different input sizes are scored on the same pixels. The network runs in
    evaluation mode; every part of it is in its own mode afterwards.
    """
    count = len(cast("Sized", dataset))
    if limit is not None:
        count = min(count, limit)
    matrix: ConfusionMatrix | None = None
    device = device_of(network)
    with evaluation_mode(network), torch.inference_mode():
        for start in range(0, count, batch_size):
            images, masks = batch_of(dataset, range(start, min(start + batch_size, count)))
            logits = match_size(network(normalise(resized(images.to(device), input_size))), masks.shape[-2:])
            matrix = matrix or ConfusionMatrix(logits.shape[1])
            matrix.update(logits.argmax(1), masks.to(device))
    return (matrix or ConfusionMatrix(2)).quality(count)


def device_of(network: nn.Module) -> torch.device:
    """Where its weights are."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def predictor_of(network: nn.Module, input_size: tuple[int, int]) -> Predict:
    """The network as a function from a picture to what it says of it, with the class numbers of ``evaluate``."""

    def predict(picture: NDArray[np.uint8]) -> Prediction:
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        with evaluation_mode(network), torch.inference_mode():
            logits = match_size(network(normalise(resized(image, input_size))), picture.shape[:2])[0]
        foreground = logits.softmax(0)[1:].sum(0)
        return Prediction(logits.argmax(0).to(torch.uint8).numpy(), foreground.numpy())

    return predict


def resized(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Images (``batch x 3 x h x w``) at ``size`` (height, width); averaged where they shrink, as Pillow does it."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return functional.interpolate(images, size=list(size), mode="bilinear", align_corners=False, antialias=True)


def resized_masks(masks: Tensor, size: tuple[int, ...]) -> Tensor:
    """Masks (``batch x h x w``, int64) at ``size`` (height, width), by the nearest pixel; one pixel stays one."""
    if tuple(masks.shape[-2:]) in (tuple(size), (1, 1)):
        return masks
    # Class numbers, 255 at most, are exact in float32.
    return functional.interpolate(masks.unsqueeze(1).float(), size=list(size), mode="nearest-exact").squeeze(1).long()
