"""Trains the weights that ship with the package on synthetic scenes with people: a teacher, a supernet, an encoder.

Resumable: started again with the same options it continues. ``--ship`` writes what was trained, with its recipe and its
quality on synthetic scenes that were not used, to ``segmentation/pretrained/``. No photograph is used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import torch
from hand_designed import DESIGNS, architecture
from quality_prior import MOST_PARAMETERS, SPACE
from torch import nn

from provenance import commit
from search.architecture import Architecture
from search.evaluators.supernet import sandwich
from search.spaces.portrait.trained_nets import trained_nets
from segmentation.auxiliary_cells.genotype import Genotype
from segmentation.auxiliary_cells.plan import plan as cells_plan
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, batch_of
from segmentation.evaluation import evaluate
from segmentation.networks.network import Network
from segmentation.normalisation import normalise
from segmentation.pretrained.encoder import encoder_of
from segmentation.pretrained.weights import Name, ship
from segmentation.supernet.narrower import narrowed
from segmentation.supernet.supernet import Supernet, recalibrate
from segmentation.supernet.training import SupernetSettings, train_supernet
from segmentation.training.loop import TrainingProgress
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train, trained_teacher

SIZE = (128, 128)
TESTED = 400
DRAWS = 2000
"""Of a random net and of a child of two known ones, for the supernet."""
MEGAFLOPS = (10, 320)
CALIBRATION = 256
"""Scenes for the statistics of a slice's batch normalisation."""
ENCODERS_DECODER = "[[9, [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]], [[0, 1], [2, 3], [4, 5]]]"
"""Genotype of the decoder behind the small encoder: reads every feature, and computes next to nothing itself."""


def report(progress: TrainingProgress) -> None:
    """A line now and then."""
    if progress.done % 50 == 0:
        sys.stderr.write(f"{progress.done} of {progress.total}: {progress.note}\n")


def teacher(options: argparse.Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """The trained teacher and its recipe."""
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
    quality = evaluate(trained.network, source.test, SIZE, limit=TESTED).mean_iou
    return trained.network, recipe("teacher", source, settings.to_json(), test_mean_iou=round(quality, 4))


def supernet(options: argparse.Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """The trained supernet of ``portrait`` and its recipe."""
    source = open_source(f"synthetic:{options.supernet_scenes}?people", seed=options.seed + 100, size=SIZE)
    settings = SupernetSettings(
        options.supernet_steps, batch_size=16, learning_rate=7e-3, checkpoint_every=100, seed=options.seed
    )
    plans = [SPACE.plan(net) for net in nets(options.seed)]
    pool = [(plan, SIZE) for plan in plans]
    torch.manual_seed(options.seed)
    shared = SPACE.supernet(pretrained=False)
    train_supernet(
        shared,
        source,
        lambda rng: sandwich(pool, 1, rng),
        settings,
        checkpoint=options.folder / "supernet.safetensors",
        on_progress=report,
    )
    tested = {name: round(tested_slice(shared, architecture(DESIGNS[name]), source), 4) for name in DESIGNS}
    more = {"nets": len(plans), "test_mean_iou_of_designs": tested}
    return narrowed(shared, plans), recipe("portrait-supernet", source, asdict(settings), **more)


def encoder(options: argparse.Namespace) -> tuple[nn.Module, dict[str, Any]]:
    """The small encoder of ``auxiliary-cells``, trained in a net with a small decoder, and its recipe."""
    source = open_source(f"synthetic:{options.encoder_scenes}?people", seed=options.seed + 200, size=SIZE)
    settings = TrainSettings(
        input_size=SIZE,
        steps=options.encoder_steps,
        batch_size=16,
        evaluate_limit=100,
        threads=options.threads,
        seed=options.seed,
    )
    torch.manual_seed(options.seed)
    network = Network(cells_plan(Genotype.parse(ENCODERS_DECODER), encoder="small"))
    train(network, source, settings, checkpoint=options.folder / "encoder.safetensors", on_progress=report)
    quality = evaluate(network, source.test, SIZE, limit=TESTED).mean_iou
    more = {"decoder": ENCODERS_DECODER, "test_mean_iou": round(quality, 4)}
    return encoder_of(network), recipe("small-encoder", source, settings.to_json(), **more)


def nets(seed: int) -> Sequence[Architecture]:
    """Random nets and children of nets that are known to be good or bad, from the one with the most operations."""
    rng, known, found = Random(seed), trained_nets().nets, dict[Architecture, float]()
    for _ in range(DRAWS):
        (sampled,) = SPACE.sample(1, rng)
        for one in (sampled, SPACE.mutate(SPACE.crossover(rng.choice(known), rng.choice(known), rng), rng)):
            flops = SPACE.lower(one).flops
            if SPACE.parameters(one) <= MOST_PARAMETERS and MEGAFLOPS[0] < flops / 1e6 < MEGAFLOPS[1]:
                found[one] = flops
    return sorted(found, key=lambda one: -found[one])


def tested_slice(shared: Supernet, net: Architecture, source: DataSource) -> float:
    """Mean IoU on the test part of a net with its slice of the weights."""
    network = shared.extract(SPACE.plan(net))
    images, _ = batch_of(source.train, range(CALIBRATION))
    recalibrate(network, [normalise(images)])
    return evaluate(network, source.test, SIZE, limit=TESTED).mean_iou


def recipe(name: Name, source: DataSource, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """How weights were trained."""
    found = {
        "data": source.name,
        "training_scenes": len(source.train),
        "settings": settings,
        **more,
        "commit": commit(),
        "command": f"python benchmarks/pretrain.py --only {name}",
    }
    sys.stderr.write(f"{found}\n")
    return found


MAKERS: dict[Name, Callable[[argparse.Namespace], tuple[nn.Module, dict[str, Any]]]] = {
    "teacher": teacher,
    "portrait-supernet": supernet,
    "small-encoder": encoder,
}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/pretrain"))
    parser.add_argument("--only", nargs="+", choices=MAKERS, default=list(MAKERS))
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--supernet-scenes", type=int, default=25_000)
    parser.add_argument("--supernet-steps", type=int, default=6_000)
    parser.add_argument("--encoder-scenes", type=int, default=12_500)
    parser.add_argument("--encoder-steps", type=int, default=5_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ship", action="store_true", help="write the weights into the package")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    made = {name: MAKERS[name](options) for name in options.only}
    if options.ship:
        ship(made)


if __name__ == "__main__":
    main()
