"""What the shipped small encoder is worth to nets of ``auxiliary-cells``: with and without it, equal updates on pairs.

The nets are the first random ones within the limits below. Validation pairs are judged, the test part is not read;
photographs stay where they are. Resumable: a row that the result holds, which is of one data set, is not made again.
Writes ``benchmarks/results/pretraining_encoder.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

import torch
from pretraining import SIZE, FirstPairs, trained

from provenance import RESULTS, commit, print_goals, provenance, save
from search.architecture import Architecture
from search.spaces.auxiliary_cells.space import AuxiliaryCellsSpace
from segmentation.data.registry import open_source
from segmentation.networks.network import Network
from segmentation.training.scenes import learn_scenes

RESULT = RESULTS / "pretraining_encoder.json"
SPACE = AuxiliaryCellsSpace(encoder="small", sizes=(SIZE,))
MOST_PARAMETERS = 400_000
MOST_MEGAFLOPS = 100
RANDOM, SHIPPED = "random", "shipped"
KEY = ("net", "begins", "scene_steps", "pairs", "updates", "seed")


def nets(count: int) -> Iterator[Architecture]:
    """Random ones of the space that are small enough."""
    rng = Random(0)
    while count:
        (net,) = SPACE.sample(1, rng)
        if SPACE.parameters(net) <= MOST_PARAMETERS and SPACE.lower(net).flops < MOST_MEGAFLOPS * 1e6:
            yield net
            count -= 1


def begun(net: Architecture, begins: str, options: argparse.Namespace) -> Network:
    """The net before it sees pairs."""
    torch.manual_seed(options.seed)
    network = cast("Network", (SPACE.pretrained if begins == SHIPPED else SPACE.build)(net))
    if options.scene_steps:
        scenes = options.folder / f"{net.id}-{begins}-{options.scene_steps}-{options.seed}.safetensors"
        learn_scenes(network, options.scene_steps, seed=options.seed, threads=1, checkpoint=scenes)
    return network


def known_rows(path: Path) -> list[dict[str, Any]]:
    """Of the result so far."""
    return list(json.loads(path.read_text())["rows"]) if path.exists() else []


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean gain over nets and seeds, for each way of training."""
    scores = {tuple(row[key] for key in KEY): row["mean_iou"] for row in rows}
    gains: dict[tuple[int, int, int], list[float]] = {}
    for (net, begins, *way, seed), value in scores.items():
        without = scores.get((net, RANDOM, *way, seed))
        if begins == SHIPPED and without is not None:
            gains.setdefault(tuple(way), []).append(value - without)
    return [
        {
            "what": f"gain in mean IoU: {steps} updates on scenes, {updates} on {pairs} pairs, {len(each)} trainings",
            "goal": "above 0",
            "value": round(sum(each) / len(each), 4),
            "met": sum(each) > 0,
        }
        for (steps, pairs, updates), each in sorted(gains.items())
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a source with two classes, such as folder:PATH")
    parser.add_argument("--nets", type=int, default=3)
    parser.add_argument("--begins", nargs="+", choices=(RANDOM, SHIPPED), default=(RANDOM, SHIPPED))
    parser.add_argument("--pairs", type=int, nargs="+", default=[30, 100, 0], help="0 for all")
    parser.add_argument("--scene-steps", type=int, default=0)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("build/pretraining"))
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    source = open_source(options.data, size=SIZE, resize_masks=True)
    for count in options.pairs:
        part = replace(source, train=FirstPairs(source.train, count)) if count else source
        for begins in options.begins:
            for net in nets(options.nets):
                key = (SPACE.text(net), begins, options.scene_steps, len(part.train), options.updates, options.seed)
                if key in {tuple(row[name] for name in KEY) for row in known_rows(options.result)}:
                    continue
                network = begun(net, begins, options)
                row = {**dict(zip(KEY, key, strict=True)), "parameters": SPACE.parameters(net)}
                row |= {**trained(network, part, options), "commit": commit()}
                sys.stderr.write(f"{row}\n")
                rows = [*known_rows(options.result), row]
                save(options.result, {"rows": rows, "goals": goals(rows), "provenance": provenance()})
    print_goals(goals(known_rows(options.result)))


if __name__ == "__main__":
    main()
