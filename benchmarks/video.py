"""What smoothing over time is worth: flicker where the picture stays, and the quality of masks of what moves.

Scenes of ten frames are made of validation pairs of a data source: a person, cut out by the true mask, before a blurred
other picture; it stays or moves, and every frame has new camera noise. The net is the one of ``masks.py``; photographs
stay where they are. Writes ``benchmarks/results/video.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from masks import SIZE, Pixels, full_size, scores_of, trained
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from export.bundle import smoothing
from export.bundle.preprocess import Placement, fit, normalise, place, spread_along_edges
from provenance import RESULTS, provenance, write_result
from segmentation.data.registry import open_source
from segmentation.data.source import Pair, PairDataset
from segmentation.normalisation import MEAN, STD

RESULT = RESULTS / "video.json"
FRAMES = 10
BLUR = 16
NOISES = (2.0, 10.0)
SPEEDS = (0, 2, 6)
"""Pixels a frame."""
EVERYWHERE = 255
RULES: dict[str, dict[str, float]] = {"none": {"SHARE": 1.0}} | {
    f"{name}, share {share}": {"SHARE": share, "STILL": still}
    for name, still in (("everywhere", EVERYWHERE), ("where the picture stays", smoothing.STILL))
    for share in (0.3, 0.5)
}
DEFAULT = f"where the picture stays, share {smoothing.SHARE}"


def scene(pairs: PairDataset, index: int, speed: int, noise: float) -> Iterator[Pair]:
    """Frames and true masks; the person moves to the right."""
    rgb, mask = full_size(pairs, index)
    height, width = mask.shape
    other = Image.fromarray(full_size(pairs, (index + 1) % len(pairs))[0]).resize((width // BLUR, height // BLUR))
    behind = np.asarray(other.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    random = np.random.default_rng(index)
    for number in range(FRAMES):
        shift = speed * number
        person = np.roll(mask == 1, shift, axis=1)
        person[:, :shift] = False
        frame = np.where(person[..., None], np.roll(rgb, shift, axis=1), behind)
        noisy = np.clip(frame + random.normal(0, noise, frame.shape), 0, 255)
        yield noisy.astype(np.uint8), person.astype(np.uint8)


Frame = tuple[Pixels, Pixels, Pixels, NDArray[np.float32], Placement]


def answered(network: nn.Module, frames: Iterator[Pair]) -> list[Frame]:
    """Frames with true masks, inputs and logits."""
    found = []
    for rgb, mask in frames:
        at = place(*mask.shape, *SIZE, "resize")
        pixels = fit(rgb, at, *SIZE, MEAN)
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalise(pixels, MEAN, STD))).numpy()
        found.append((rgb, mask, pixels, logits, at))
    return found


def judged(scenes: list[list[Frame]], rule: dict[str, float]) -> dict[str, float]:
    """Flicker, and mean IoU of all frames but each scene's first."""
    flicker, masks = smoothing.Flicker(), []
    for frames in scenes:
        smoother, last = smoothing.Smoother(), None
        for rgb, mask, pixels, logits, at in frames:
            with patch.multiple(smoothing, **rule):
                average = smoother.smoothed(pixels, logits, at)
            if last is not None:
                still = smoothing.unchanged(last[0], pixels)
                flicker.add(smoothing.foreground(last[1]), smoothing.foreground(average), still)
                masks.append((spread_along_edges(average, at, rgb).labels, mask))
            last = pixels, average
    return {"flicker_percent": round(flicker.percent or 0.0, 3), "mean_iou": scores_of(masks)["mean_iou"]}


def rows_of(network: nn.Module, pairs: PairDataset, count: int) -> Iterator[dict[str, Any]]:
    """Every rule on every kind of scene."""
    for speed in SPEEDS:
        for noise in NOISES:
            scenes = [answered(network, scene(pairs, index, speed, noise)) for index in range(count)]
            for name, rule in RULES.items():
                yield {"speed": speed, "noise": noise, "rule": name, **judged(scenes, rule)}


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the rule of ``segment --video`` leaves of the flicker, and what it costs."""
    found = {(row["speed"], row["noise"], row["rule"]): row for row in rows}
    kinds = [(speed, noise) for speed in SPEEDS for noise in NOISES]

    def pairs(name: str) -> list[tuple[float, float]]:
        return [(found[*kind, DEFAULT][name], found[*kind, "none"][name]) for kind in kinds]

    left = round(100 * max(smooth / plain for smooth, plain in pairs("flicker_percent")), 1)
    lost = round(max(plain - smooth for smooth, plain in pairs("mean_iou")), 4)
    return [
        {"what": "most flicker that is left, percent", "goal": "at most 60", "value": left, "met": left <= 60},
        {"what": "most mean IoU that is lost", "goal": "at most 0.002", "value": lost, "met": lost <= 0.002},
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a source with two classes, such as folder:PATH")
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--design", default="plain")
    parser.add_argument("--updates", type=int, default=870)
    parser.add_argument("--folder", type=Path, required=True, help="of checkpoints, as for masks.py")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    source = open_source(options.data, size=SIZE, resize_masks=True)
    network = trained(source, "resize", 0, options)
    rows = []
    for row in rows_of(network, source.validation, options.scenes):
        rows.append(row)
        sys.stderr.write(f"{row}\n")
    document = {
        "data": options.data.partition(":")[0],
        "design": options.design,
        "updates": options.updates,
        "scenes": options.scenes,
        "frames": FRAMES,
        "rows": rows,
        "goals": goals(rows),
        "provenance": provenance(),
    }
    write_result(options.result, document)


if __name__ == "__main__":
    main()
