"""What masks of photographs' own size are worth: enlarged bilinearly or along edges, pictures stretched or letterboxed.

For each data source a net designed by hand is trained at 128x128, once on stretched and once on letterboxed pictures.
The validation pairs are judged at their own size; the test part is not read. Photographs stay where they are. Writes
``benchmarks/results/masks.json``; with ``--folder`` an interrupted run continues where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from hand_designed import DESIGNS, architecture
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from export.bundle import enlarge
from export.bundle.manifest import ResizePolicy
from export.bundle.preprocess import Placement, Segmentation, fit, normalise, place, spread, spread_along_edges
from foundation.picture import read_picture
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace
from segmentation.boundary import boundary_f1
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, Pair, PairDataset
from segmentation.losses import IGNORE
from segmentation.metrics import ConfusionMatrix
from segmentation.networks.network import Network
from segmentation.normalisation import MEAN, STD
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train

RESULT = RESULTS / "masks.json"
SIZE = (128, 128)
SPACE = PortraitSpace(sizes=(SIZE,))
POLICIES: tuple[ResizePolicy, ...] = ("resize", "letterbox")
DEFAULT = enlarge.SIDE_PER_RADIUS, enlarge.EVEN
VARIANTS = [(side, even) for side in (64, 32, 16) for even in (3e-3, 3e-4)]
"""Of the guided filter: shorter side by radius, and epsilon."""
Pixels = NDArray[np.uint8]


def full_size(pairs: PairDataset, index: int) -> Pair:
    """The picture and its mask as they are."""
    height, width, _ = read_picture(pairs.paths(index)[0]).rgb.shape
    return pairs.at((height, width)).make(index)


class Letterboxed(PairDataset):
    """Pairs that keep their shape; the border has the mean colour and no label."""

    def __init__(self, pairs: PairDataset) -> None:
        super().__init__(pairs.size)
        self._pairs = pairs

    @override
    def __len__(self) -> int:
        return len(self._pairs)

    @override
    def make(self, index: int) -> Pair:
        rgb, _ = full_size(self._pairs, index)
        at = place(*rgb.shape[:2], *self.size, "letterbox")
        mask = np.full(self.size, IGNORE, np.uint8)
        inner = slice(at.top, at.top + at.height), slice(at.left, at.left + at.width)
        mask[inner] = self._pairs.at((at.height, at.width)).make(index)[1]
        return fit(rgb, at, *self.size, MEAN), mask

    @override
    def identity(self, index: int) -> str:
        return f"letterboxed {self._pairs.identity(index)}"


def trained(source: DataSource, policy: ResizePolicy, seed: int, options: argparse.Namespace) -> nn.Module:
    """The net after training on the pairs of the source."""
    if policy == "letterbox":
        source = replace(source, train=Letterboxed(source.train), validation=Letterboxed(source.validation))
    torch.manual_seed(seed)
    network = Network(SPACE.plan(architecture(DESIGNS[options.design], SIZE)))
    settings = TrainSettings(input_size=SIZE, steps=options.updates, evaluate_every=1000, seed=seed, threads=1)
    name = f"{source.name.partition(':')[0]}-{policy}-{seed}.checkpoint"
    return train(network, source, settings, checkpoint=options.folder / name).network


@dataclass(frozen=True)
class Answer:
    """What a net says of a picture."""

    rgb: Pixels
    mask: Pixels
    logits: NDArray[np.float32]
    placement: Placement


def answers(network: nn.Module, pairs: PairDataset, policy: ResizePolicy) -> Iterator[Answer]:
    """The net on every picture, which is brought to its size by ``policy``."""
    for index in range(len(pairs)):
        rgb, mask = full_size(pairs, index)
        at = place(*rgb.shape[:2], *SIZE, policy)
        image = normalise(fit(rgb, at, *SIZE, MEAN), MEAN, STD)
        with torch.inference_mode():
            yield Answer(rgb, mask, network(torch.from_numpy(image)).numpy(), at)


def scores(found: list[Answer], enlarged: Callable[[Answer], Segmentation]) -> dict[str, float]:
    """Scores of the masks, mean absolute error of the foreground, and the median time of the enlargement."""
    masks, errors, times = [], [], []
    for one in found:
        start = perf_counter()
        result = enlarged(one)
        times.append(1000 * (perf_counter() - start))
        masks.append((result.labels, one.mask))
        errors.append(float(np.abs(result.foreground - one.mask)[one.mask != IGNORE].mean()))
    return {
        **scores_of(masks),
        "foreground_error": round(mean(errors), 4),
        "enlargement_ms": round(median(times), 2),
    }


def scores_of(masks: list[Pair]) -> dict[str, float]:
    """Mean IoU over all pixels, and mean boundary F-score, of pairs of a mask and the true one."""
    matrix, boundaries = ConfusionMatrix(2), []
    for labels, truth in masks:
        matrix.update(torch.from_numpy(labels)[None].long(), torch.from_numpy(truth)[None].long())
        boundaries.append(boundary_f1(labels, truth, 2))
    known = [score for score in boundaries if score is not None]
    return {"mean_iou": round(matrix.quality(len(masks)).mean_iou, 4), "boundary_f1": round(mean(known), 4)}


def bilinear(one: Answer) -> Segmentation:
    """Without a look at the picture."""
    return spread(one.logits, one.placement, *one.rgb.shape[:2])


def guided(one: Answer) -> Segmentation:
    """Along the picture's edges."""
    return spread_along_edges(one.logits, one.placement, one.rgb)


def edge_rows(found: list[Answer]) -> Iterator[dict[str, Any]]:
    """Bilinear, and each variant of the guided filter."""
    yield {"edges": "bilinear", **scores(found, bilinear)}
    for side, even in VARIANTS:
        with patch.multiple(enlarge, SIDE_PER_RADIUS=side, EVEN=even):
            yield {"edges": "guided", "side_per_radius": side, "epsilon": even, **scores(found, guided)}


def policy_rows(source: DataSource, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Nets trained on pictures brought to their size in each way, used on pictures brought to it in each way."""
    for seed in options.seeds:
        for trained_with in POLICIES:
            network = trained(source, trained_with, seed, options)
            for used_with in POLICIES:
                found = scores(list(answers(network, source.validation, used_with)), guided)
                yield {"seed": seed, "trained_with": trained_with, "used_with": used_with, **found}


def document_of(text: str, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one source; policies differ only where pictures are not square."""
    source = open_source(text, size=SIZE, resize_masks=True)
    network = trained(source, "resize", options.seeds[0], options)
    found = list(answers(network, source.validation, "resize"))
    shapes = [one.mask.shape for one in found]
    return {
        "data": text.partition(":")[0],
        "training_pairs": len(source.train),
        "validation_pairs": len(found),
        "median_pixels": median(height * width for height, width in shapes),
        "edges": list(edge_rows(found)),
        "policies": list(policy_rows(source, options)) if any(height != width for height, width in shapes) else [],
    }


def goals(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Least gain of the guided filter, as it is in bundles, over bilinear enlargement."""
    found = []
    for score in ("mean_iou", "boundary_f1"):
        gains = []
        for document in documents:
            rows = {(row.get("side_per_radius"), row.get("epsilon")): row[score] for row in document["edges"]}
            gains.append(rows[DEFAULT] - rows[None, None])
        least = round(min(gains), 4)
        found.append({"what": f"guided: least gain in {score}", "goal": "above 0", "value": least, "met": least > 0})
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, nargs="+", help="sources with two classes, such as folder:PATH")
    parser.add_argument("--design", default="plain", choices=DESIGNS)
    parser.add_argument("--updates", type=int, default=870)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "masks", help="of checkpoints")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    documents = []
    for text in options.data:
        documents.append(document_of(text, options))
        sys.stderr.write(f"{documents[-1]}\n")
    document = {
        "design": options.design,
        "updates": options.updates,
        "sources": documents,
        "goals": goals(documents),
        "provenance": provenance(),
    }
    write_result(options.result, document)


if __name__ == "__main__":
    main()
