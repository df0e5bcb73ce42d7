"""Trains the weights that ship with the package on synthetic scenes with people: those of the teacher.

Resumable: started again with the same options it continues. ``--ship`` writes what was trained, with its recipe and its
quality on synthetic scenes that were not used, to ``segmentation/pretrained/``. No photograph is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from provenance import commit
from segmentation.data.registry import open_source
from segmentation.evaluation import evaluate
from segmentation.pretrained.weights import ship
from segmentation.training.loop import TrainingProgress
from segmentation.training.settings import TrainSettings
from segmentation.training.train import trained_teacher

SIZE = (128, 128)
TESTED = 400


def report(progress: TrainingProgress) -> None:
    """A line now and then."""
    if progress.done % 50 == 0:
        sys.stderr.write(f"{progress.done} of {progress.total}: {progress.note}\n")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/pretrain"))
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ship", action="store_true", help="write the weights into the package")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    source = open_source(f"synthetic:{options.scenes}?people", seed=options.seed, size=SIZE)
    settings = TrainSettings(
        input_size=SIZE,
        epochs=options.epochs,
        batch_size=16,
        evaluate_every=2,
        evaluate_limit=100,
        threads=options.threads,
        seed=options.seed,
    )
    trained = trained_teacher(source, settings, checkpoint=options.folder / "teacher.safetensors", on_progress=report)
    recipe = {
        "data": source.name,
        "training_scenes": len(source.train),
        "settings": settings.to_json(),
        "test_mean_iou": round(evaluate(trained.network, source.test, SIZE, limit=TESTED).mean_iou, 4),
        "commit": commit(),
        "command": "python benchmarks/pretrain.py",
    }
    sys.stderr.write(f"{recipe}\n")
    if options.ship:
        ship({"teacher": (trained.network, recipe)})


if __name__ == "__main__":
    main()
