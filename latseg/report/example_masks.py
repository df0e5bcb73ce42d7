"""Pictures of a winner's masks for a report. Importing this module loads torch."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from foundation.class_colours import painted
from search.run_context import RunContext
from search.tasks.segmentation import SegmentationTask
from search.trial import Trial
from search.winners.export import trained_module
from segmentation.evaluation import resized
from segmentation.losses import IGNORE, match_size
from segmentation.normalisation import normalise

_EXAMPLES = 6
_HEIGHT = 150


def example_strip(context: RunContext, winner: Trial) -> list[tuple[bytes, str]]:
    """PNG strips (image, truth, mask) with their captions, for the first validation images."""
    network = trained_module(context, winner.architecture)
    task = context.task
    assert isinstance(task, SegmentationTask)
    size = task.space.input_size(winner.architecture)
    dataset = task.source.validation
    strips = []
    for index in range(min(_EXAMPLES, len(dataset))):
        picture, truth = dataset[index]
        with torch.inference_mode():
            logits = network(normalise(resized(picture[None], size)))
            mask = match_size(logits, truth.shape[-2:]).argmax(1)[0]
        agreement = float((mask == truth)[truth != IGNORE].float().mean())
        parts = [(255 * picture).byte().permute(1, 2, 0).numpy(), painted(truth.numpy()), painted(mask.numpy())]
        strips.append((_png(np.concatenate(parts, axis=1)), f"{100 * agreement:.1f} % of the pixels agree"))
    return strips


def _png(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(pixels)
    image = image.resize((round(image.width * _HEIGHT / image.height), _HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
