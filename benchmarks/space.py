"""Ablations of the ``portrait`` space: the four upsamplings, and the resolutions of the skips.

The same random nets get each upsampling, and each set of skips. Latency is that of the ``cpu`` device, all nets timed
in turns. Quality is that after equal training on synthetic portraits, over all pixels and in a band around the true
outlines. Writes ``benchmarks/results/space.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean, geometric_mean
from typing import Any

import onnx
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from devices.device import Candidate
from devices.registry import get_device
from latency.measuring import measure_together
from latency.operators.synthesize import to_model
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result
from search.architecture import Architecture
from search.spaces.portrait.space import PortraitSpace, portrait_architecture
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.evaluation import evaluate
from segmentation.losses import IGNORE
from segmentation.networks.network import Network
from segmentation.portrait.slots import SKIPS, STAGES, UPSAMPLINGS
from segmentation.portrait.upsampling import WITHOUT_RESIZE
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train

SIZE = (128, 128)
SPACE = PortraitSpace(sizes=[SIZE])
PARAMETERS = (40_000, 350_000)
STRIDED = (2, 3, 4)
"""Stages with stride 2: the outputs of stem, stage 2 and stage 3 have the strides 2, 4 and 8, the last one 16."""
SKIPS_BY_STRIDE = {2: "stem", 4: "stage2", 8: "stage3"}
SKIP_SETS = ((2, 4, 8), (4, 8), (8,), (2,))
BAND = 2
"""Pixels to either side of the true outlines."""


def nets(count: int, seed: int) -> list[Architecture]:
    """Random nets with these strides and all skips, whatever their upsampling."""
    rng, found = Random(seed), []
    while len(found) < count:
        (sampled,) = SPACE.sample(1, rng)
        depths = {f"stage{stage}.depth": max(1, sampled[f"stage{stage}.depth"]) for stage in STAGES}
        strides = {f"stage{stage}.stride": int(stage in STRIDED) for stage in STAGES}
        net = with_skips(portrait_architecture({**dict(sampled.choices), **depths, **strides}), SKIP_SETS[0])
        if PARAMETERS[0] <= SPACE.parameters(with_upsampling(net, "bilinear")) <= PARAMETERS[1]:
            found.append(net)
    return found


def with_upsampling(net: Architecture, upsampling: str) -> Architecture:
    return portrait_architecture(dict(net.choices) | {"upsampling": UPSAMPLINGS.index(upsampling)})


def with_skips(net: Architecture, strides: Sequence[int]) -> Architecture:
    chosen = {SKIPS_BY_STRIDE[stride] for stride in strides}
    return portrait_architecture(dict(net.choices) | {f"skip.{source}": int(source in chosen) for source in SKIPS})


def variants(net: Architecture) -> dict[str, Architecture]:
    """The net with each upsampling and all skips, then with bilinear upsampling and the other sets of skips."""
    found = {upsampling: with_upsampling(net, upsampling) for upsampling in UPSAMPLINGS}
    bilinear = found["bilinear"]
    return found | {f"bilinear, skips {strides}": with_skips(bilinear, strides) for strides in SKIP_SETS[1:]}


def measured(rows: Sequence[Mapping[str, Architecture]], seed: int) -> list[dict[str, float]]:
    """Milliseconds of each variant of each net, all of them timed in turns."""
    device = get_device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        candidates = []
        for number, row in enumerate(rows):
            for name, net in row.items():
                path = Path(folder) / f"{len(candidates)}.onnx"
                onnx.save(to_model(SPACE.lower(net)), path)
                candidates.append(Candidate(f"{number} {name}", path))
        with MeasurementStore(Path(folder) / "measurements.sqlite") as store:
            found = iter(measure_together(device, candidates, store, seed=seed))
    return [{name: next(found).latency_ms for name in row} for row in rows]


class NearOutlines(Dataset[tuple[Tensor, Tensor]]):
    """Pairs whose labels count only within ``BAND`` pixels of an outline."""

    def __init__(self, pairs: Dataset[tuple[Tensor, Tensor]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.pairs[index]
        labels, window = mask[None, None].float(), 2 * BAND + 1
        highest, lowest = (sign * functional.max_pool2d(sign * labels, window, 1, BAND) for sign in (1, -1))
        return image, torch.where((highest != lowest)[0, 0], mask, IGNORE)


def trained(net: Architecture, source: DataSource, epochs: int, seed: int) -> dict[str, float]:
    """Mean intersection over union after the training, over all pixels and near outlines."""
    torch.manual_seed(seed)
    settings = TrainSettings(input_size=SIZE, epochs=epochs, evaluate_every=epochs, seed=seed, threads=1)
    network = train(Network(SPACE.plan(net)), source, settings).network
    pairs = source.validation
    everywhere, near = (evaluate(network, each, SIZE) for each in (pairs, NearOutlines(pairs)))
    return {"mean_iou": everywhere.mean_iou, "mean_iou_near_outlines": near.mean_iou}


def row_of(net: Architecture, latency_ms: float) -> dict[str, Any]:
    graph = SPACE.lower(net)
    return {
        "latency_ms": latency_ms,
        "parameters": SPACE.parameters(net),
        "decoder_and_head_parameters": sum(SPACE.plan(net).parameters(prefix=part) for part in ("decoder", "head")),
        "flops": graph.flops,
        "resizes": sum(operator.kind == "Resize" for operator in graph.operators),
        "quality": [],
    }


def summary(rows: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, float]]:
    """Of each variant: time and parameters relative to bilinear (geometric means), and the means of the quality."""
    found = {}
    for name in rows[0]:
        ratios = {
            f"{key}_over_bilinear": geometric_mean(row[name][key] / row["bilinear"][key] for row in rows)
            for key in ("latency_ms", "parameters")
        }
        scores = [score for row in rows for score in row[name]["quality"]]
        means = {key: fmean(score[key] for score in scores) for key in (scores[0] if scores else ())}
        found[name] = ratios | means
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=8)
    parser.add_argument("--trained", type=int, default=3, help="So many of the nets are trained.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=2, help="Trainings of each net, by seed.")
    parser.add_argument("--data", default="synthetic:400")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULTS / "space.json")
    options = parser.parse_args()
    chosen = [variants(net) for net in nets(options.nets, options.seed)]
    times = measured(chosen, options.seed)
    source = open_source(options.data, seed=options.seed, size=SIZE)
    rows = [{name: row_of(net, ms[name]) for name, net in row.items()} for row, ms in zip(chosen, times, strict=True)]
    write(rows, options)
    for row, nets_of_row in zip(rows[: options.trained], chosen, strict=False):
        for seed in range(options.repeats):
            for name, net in nets_of_row.items():
                row[name]["quality"].append(trained(net, source, options.epochs, seed))
        write(rows, options)


def write(rows: Sequence[Mapping[str, Mapping[str, Any]]], options: argparse.Namespace) -> None:
    """Writes what is known so far."""
    found = summary(rows)
    resizes = sum(row[name]["resizes"] for row in rows for name in WITHOUT_RESIZE)
    slowest = max(found[name]["latency_ms_over_bilinear"] for name in WITHOUT_RESIZE)
    goals = [
        {"what": "resize operators of nets without resize", "goal": "0", "value": resizes, "met": not resizes},
        {"what": "time of nets without resize / with bilinear upsampling, the slower kind", "goal": "<= 1.25",
         "value": slowest, "met": slowest <= 1.25},
    ]  # fmt: skip
    document = {"benchmark": "space", "settings": vars(options) | {"output": options.output.name}}
    write_result(options.output, document | {"summary": found, "goals": goals, "nets": rows} | provenance())


if __name__ == "__main__":
    main()
