"""What the shipped weights of the teacher are worth: 30, 100 and all pairs of photographs, equal numbers of updates.

The teacher is trained on the pairs from random and from the shipped weights; then a net designed by hand, which nobody
searched, is trained with each of the two. Validation pairs are judged, the test part is not read; photographs stay
where they are. Writes ``benchmarks/results/pretraining.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hand_designed import DESIGNS, architecture
from torch import nn
from typing_extensions import override

from provenance import RESULTS, print_goals, provenance, save
from search.spaces.portrait.space import PortraitSpace
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, Pair, PairDataset
from segmentation.networks.network import Network
from segmentation.networks.teacher import teacher_plan
from segmentation.pretrained.weights import start_from
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train

BATCH = 16
RESULT = RESULTS / "pretraining.json"
SIZE = (128, 128)
SPACE = PortraitSpace(sizes=(SIZE,))


class FirstPairs(PairDataset):
    """The first pairs of a part."""

    def __init__(self, pairs: PairDataset, count: int) -> None:
        super().__init__(pairs.size)
        self._pairs, self._count = pairs, count

    @override
    def __len__(self) -> int:
        return self._count

    @override
    def make(self, index: int) -> Pair:
        return self._pairs.make(index)

    @override
    def identity(self, index: int) -> str:
        return self._pairs.identity(index)


def trained(
    network: nn.Module, source: DataSource, options: argparse.Namespace, teacher: nn.Module | None = None
) -> dict[str, Any]:
    """Quality after training on the pairs, and seconds."""
    settings = TrainSettings(
        input_size=SIZE, steps=options.updates, batch_size=BATCH, evaluate_every=10_000, seed=options.seed, threads=1
    )
    result = train(network, source, settings, teacher=teacher)
    return {"mean_iou": round(result.quality.mean_iou, 4), "seconds": round(result.seconds)}


def rows_of(source: DataSource, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each training came to."""
    for begins in ("random", "shipped"):
        torch.manual_seed(options.seed)
        teacher = Network(teacher_plan())
        if begins == "shipped":
            start_from(teacher, "teacher")
        yield {"net": "teacher", "teacher_begins": begins, **trained(teacher, source, options)}
        torch.manual_seed(options.seed)
        student = Network(SPACE.plan(architecture(DESIGNS[options.design], SIZE)))
        yield {"net": "student", "teacher_begins": begins, **trained(student, source, options, teacher)}


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Least gain from the shipped weights, of the teacher and of the student."""
    found = []
    for net in ("teacher", "student"):
        scores = {(row["pairs"], row["teacher_begins"]): row["mean_iou"] for row in rows if row["net"] == net}
        pairs = [count for count, begins in scores if begins == "shipped"]
        gains = [scores[count, "shipped"] - scores[count, "random"] for count in pairs]
        least = round(min(gains, default=0.0), 4)
        found.append({"what": f"{net}: least gain in mean IoU", "goal": "above 0", "value": least, "met": least > 0})
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a source with two classes, such as folder:PATH")
    parser.add_argument("--pairs", type=int, nargs="+", default=[30, 100, 0], help="0 for all")
    parser.add_argument("--design", default="plain", choices=DESIGNS)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    source = open_source(options.data, size=SIZE, resize_masks=True)
    rows: list[dict[str, Any]] = []
    for count in options.pairs:
        part = replace(source, train=FirstPairs(source.train, count)) if count else source
        for row in rows_of(part, options):
            rows.append({"pairs": len(part.train), **row})
            sys.stderr.write(f"{rows[-1]}\n")
            document = {
                "student": options.design,
                "updates": options.updates,
                "validation_pairs": len(source.validation),
                "rows": rows,
                "goals": goals(rows),
                "provenance": provenance(),
            }
            save(options.result, document)
    print_goals(document["goals"])


if __name__ == "__main__":
    main()
