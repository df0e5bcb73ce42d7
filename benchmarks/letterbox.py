"""Stretched to the net's input, or kept in shape with borders: one design, trained and judged either way.

The letterboxed pairs are padded copies (the mean colour around the picture, background around the mask). Both nets are
judged on the photographs of validation and test part at their own size. Writes ``benchmarks/results/letterbox.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import quality
import torch
from numpy.typing import NDArray
from PIL import Image
from quality import HeldOut, Net

from provenance import RESULTS, commit, provenance, write_result
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.evaluation import predictor_of
from segmentation.metrics import ConfusionMatrix
from segmentation.normalisation import MEAN

Pixels = NDArray[np.uint8]
BORDER = tuple(round(255 * value) for value in MEAN)


def padded(picture: Image.Image, colour: Any) -> Image.Image:
    """The picture in the middle of a square."""
    side = max(picture.size)
    square = Image.new(picture.mode, (side, side), colour)
    square.paste(picture, _corner(picture.size))
    return square


def _corner(size: tuple[int, int]) -> tuple[int, int]:
    side = max(size)
    return (side - size[0]) // 2, (side - size[1]) // 2


def write_padded(photographs: Path, folder: Path) -> None:
    """Padded copies of the pairs in ``photographs``, once."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for path in sorted((photographs / "images").glob("*.jpg")):
        picture = Image.open(path).convert("RGB")
        mask = Image.open(next((photographs / "masks").glob(f"{path.stem}.*"))).convert("L")
        padded(picture, BORDER).save(folder / "images" / path.name, quality=95)
        mask = mask.resize(picture.size, Image.Resampling.NEAREST)
        padded(mask, 0).save(folder / "masks" / f"{path.stem}.png")


def mean_iou(source: DataSource, net: torch.nn.Module, size: tuple[int, int], *, letterbox: bool) -> float:
    """Over the pixels of the held-out photographs at their own size."""
    predict, part, total = predictor_of(net, size), HeldOut(source), ConfusionMatrix(2)
    for index in range(len(part)):
        pair, place = part._place(index)
        image, mask = (Image.open(path) for path in pair.paths(place))
        picture = image.convert("RGB")
        truth = np.asarray(mask.convert("L").resize(picture.size, Image.Resampling.NEAREST)) > 127
        found = predict(np.array(padded(picture, BORDER) if letterbox else picture)).labels
        if letterbox:
            left, top = _corner(picture.size)
            found = found[top : top + picture.height, left : left + picture.width]
        total.update(torch.from_numpy(found.copy()), torch.from_numpy(truth.astype(np.uint8)))
    return total.quality(len(part)).mean_iou


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="folder with images and masks")
    parser.add_argument("--net", default="designed:plain")
    parser.add_argument("--folder", type=Path, default=Path("build/letterbox"))
    parser.add_argument("--updates", type=int, default=2250)
    options = parser.parse_args()
    torch.set_num_threads(1)
    copies = options.folder / "padded"
    write_padded(options.photographs, copies)
    how = argparse.Namespace(
        size=(128, 128), seed=0, updates=options.updates, scene_steps=1500, folder=options.folder, training_device="cpu"
    )
    original = open_source(f"folder:{options.photographs}", size=how.size, resize_masks=True)
    rows = []
    for name, folder in (("letterbox", copies), ("people", options.photographs)):
        how.name = name
        source = open_source(f"folder:{folder}", size=how.size, resize_masks=True)
        net = quality.trained(Net.of(options.net), source, how)
        score = mean_iou(original, net, how.size, letterbox=name == "letterbox")
        rows.append({"policy": "letterbox" if name == "letterbox" else "stretch", "mean_iou": round(score, 4)})
    gain = round(rows[1]["mean_iou"] - rows[0]["mean_iou"], 4)
    goals = [{"what": "lead of stretching, which latseg does", "goal": ">= 0", "value": gain, "met": gain >= 0}]
    made = {"net": options.net, "updates": options.updates, "pictures": len(HeldOut(original)), "commit": commit()}
    write_result(RESULTS / "letterbox.json", {**made, "rows": rows, "goals": goals, "provenance": provenance()})


if __name__ == "__main__":
    main()
