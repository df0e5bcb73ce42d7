"""The parts of the training recipe, each taken out: a net designed by hand at equal updates, without a teacher.

To be quick, "recipe" has a third of the updates on the pairs that ``latseg train`` makes.

Validation pairs are judged, the test part is not read; photographs stay where they are. Resumable: a row that the
result holds is not made again. Writes ``benchmarks/results/recipe.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch
from hand_designed import DESIGNS, architecture
from losses_tried import Loss, deep_supervision, edges_count_more, hardest_pixels

from provenance import RESULTS, commit, print_goals, provenance, save
from search.spaces.portrait.space import PortraitSpace
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.losses import segmentation_loss
from segmentation.networks.network import Network
from segmentation.training import train as training
from segmentation.training.scenes import learn_scenes
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train

BATCH = 16
RESULT = RESULTS / "recipe.json"
SIZE = (128, 128)
SPACE = PortraitSpace(sizes=(SIZE,))
SCENE_STEPS = 1500


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs from the recipe."""

    changes: dict[str, Any] = field(default_factory=dict)
    """Of the settings."""
    supernet: bool = False
    """Begin with the shipped supernet's weights."""
    scene_steps: int = SCENE_STEPS
    more_updates: int = 0
    loss: Callable[[Network], Loss] | None = None
    """Of the updates on the pairs, in the place of cross-entropy and Dice."""


AS_USED = "scenes, and as many updates more on the pairs"
"""What ``latseg train`` does: 36,000 pictures, at 2,250 updates of 16."""
VARIANTS = {
    "recipe": Variant(),
    "no scenes": Variant(scene_steps=0),
    "no scenes, as many updates more on the pairs": Variant(scene_steps=0, more_updates=SCENE_STEPS),
    AS_USED: Variant(more_updates=SCENE_STEPS),
    "a third of the scene steps": Variant(scene_steps=SCENE_STEPS // 3),
    "supernet": Variant(supernet=True, scene_steps=0),
    "supernet, and a third of the scene steps": Variant(supernet=True, scene_steps=SCENE_STEPS // 3),
    "supernet, scenes": Variant(supernet=True),
    "supernet, and as many updates more on the pairs": Variant(supernet=True, scene_steps=0, more_updates=SCENE_STEPS),
    "supernet, scenes, and as many updates more on the pairs": Variant(supernet=True, more_updates=SCENE_STEPS),
    "no augmentation": Variant({"augment": False}),
    "no Dice": Variant({"dice_weight": 0.0}),
    "no moving average": Variant({"ema_decay": 0.0}),
    "no weight decay": Variant({"weight_decay": 0.0}),
    "learning rate 2e-3": Variant({"learning_rate": 2e-3}),
    "edges count four times": Variant(loss=lambda _: edges_count_more),
    "the hardest quarter of the pixels": Variant(loss=lambda _: hardest_pixels),
    "deep supervision": Variant(loss=deep_supervision),
}


def rows_of(source: DataSource, data: str, done: set[Any], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each variant comes to that is not done."""
    for name in options.variants:
        if (data, name, options.seed) in done:
            continue
        variant = VARIANTS[name]
        torch.manual_seed(options.seed)
        net = architecture(DESIGNS[options.design], SIZE)
        network = cast("Network", (SPACE.pretrained if variant.supernet else SPACE.build)(net))
        if variant.scene_steps:
            begun = "supernet-" * variant.supernet
            scenes = options.folder / f"scenes-{options.design}-{begun}{variant.scene_steps}.safetensors"
            learn_scenes(network, variant.scene_steps, threads=1, checkpoint=scenes)
        updates = options.updates + variant.more_updates
        settings = TrainSettings(
            input_size=SIZE, steps=updates, batch_size=BATCH, evaluate_every=10_000, seed=options.seed,
            threads=1, **variant.changes,
        )  # fmt: skip
        loss = variant.loss(network) if variant.loss else segmentation_loss
        with patch.object(training, "segmentation_loss", loss):
            result = train(network, source, settings)
        yield {
            "data": data,
            "variant": name,
            "seed": options.seed,
            "updates": updates,
            "mean_iou": round(result.quality.mean_iou, 4),
            "images_per_second": round(updates * BATCH / result.seconds, 1),
        }


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No other variant is better than the recipe by more than a point, on average over the data."""
    found = []
    known = {(row["data"], row["variant"], row["seed"]): row["mean_iou"] for row in rows}
    for name in VARIANTS:
        gains = [
            value - known[data, "recipe", seed]
            for (data, variant, seed), value in known.items()
            if variant == name != "recipe" and (data, "recipe", seed) in known
        ]
        if gains and name != AS_USED:
            mean = round(sum(gains) / len(gains), 4)
            found.append({"what": f"gain of: {name}", "goal": "<= 0.01", "value": mean, "met": mean <= 0.01})
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a source with two classes, such as folder:PATH")
    parser.add_argument("--name", required=True, help="of the data, for the result")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--folder", type=Path, default=Path("build/recipe"))
    parser.add_argument("--design", default="plain", choices=DESIGNS)
    parser.add_argument("--updates", type=int, default=750)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    source = open_source(options.data, size=SIZE, resize_masks=True)
    rows: list[dict[str, Any]] = json.loads(options.result.read_text())["rows"] if options.result.exists() else []
    done = {(row["data"], row["variant"], row["seed"]) for row in rows}
    for row in rows_of(source, options.name, done, options):
        rows.append({**row, "commit": commit()})
        sys.stderr.write(f"{rows[-1]}\n")
        document = {"net": options.design, "rows": rows, "goals": goals(rows), "provenance": provenance()}
        save(options.result, document)
    print_goals(goals(rows))


if __name__ == "__main__":
    main()
