"""Quality of searched nets beside nets designed by hand and known ones, trained by the same recipe on the same pairs.

A net learns from scenes, then from the training pairs, without a teacher. Its exported file is measured on the CPU, one
thread. Scores are of validation and test part together, neither of which a training or a search has read (nothing is
chosen by the validation part here, and there are few pictures), and of those of another set, which the net has not
seen. The free peer is scored as it is. In pieces: a row that the result holds is not made again. Writes
``benchmarks/results/quality.json``; photographs stay where they are.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hand_designed import DESIGNS, architecture
from torch import nn
from typing_extensions import override

import latseg
from export.to_onnx import export_module
from foundation.progress import ignore_progress
from provenance import RESULTS, commit, print_goals, provenance, save
from search.architecture import Architecture
from search.spaces.portrait.space import PortraitSpace
from search.teachers.brought import BroughtTeacher
from segmentation.baselines.registry import open_network
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, Pair, PairDataset
from segmentation.evaluation import predictor_of
from segmentation.part_scores import PartScores, part_scores
from segmentation.pretrained.weights import take_fitting
from segmentation.training.scenes import learn_scenes
from segmentation.training.settings import TrainSettings
from segmentation.training.teaching import NO_TEACHING, Teaching
from segmentation.training.train import train

BATCH = 16
RESULT = RESULTS / "quality.json"
SEARCHED, DESIGNED, KNOWN = "searched", "designed", "known"
PERSON = 2
KEPT = (
    "seed",
    "updates",
    "parameters",
    "mean_iou",
    "mean_f1",
    "boundary_f1",
    "pictures",
    "validation_mean_f1",
    "unseen_set",
    "gpu",
    "commit",
)
"""Of the rows of ``on_gpu.py``."""


@dataclass(frozen=True, slots=True)
class Net:
    """``designed:NAME``, ``known:NAME`` or ``searched:FILE`` with the JSON text of an architecture.

    The file of a searched net is named after its budget: ``within-1.03ms.json``.
    """

    kind: str
    name: str

    @classmethod
    def of(cls, text: str) -> Net:
        """From ``KIND:NAME``."""
        kind, _, name = text.partition(":")
        return cls(kind, name)

    @property
    def title(self) -> str:
        """Name in the result."""
        return f"{self.kind} {Path(self.name).stem}"

    @property
    def architecture(self) -> dict[str, Any]:
        """Of a searched net, for the result."""
        return {"architecture": json.loads(Path(self.name).read_text())} if self.kind == SEARCHED else {}

    def build(self, size: tuple[int, int], classes: int = 2) -> nn.Module:
        """With fresh weights."""
        if self.kind == KNOWN:
            return open_network(self.name, classes)
        space = PortraitSpace(sizes=(size,)).for_classes(classes)
        if self.kind == DESIGNED:
            return space.build(architecture(DESIGNS[self.name], size))
        return space.build(Architecture.from_json(Path(self.name).read_text()))


def taught_by_scenes(net: Net, classes: int, options: argparse.Namespace) -> nn.Module:
    """Before it sees pairs; continues an interrupted training."""
    torch.manual_seed(options.seed)
    network = net.build(options.size)
    checkpoint = options.folder / f"{net.title.replace(' ', '-')}-scenes.safetensors"
    learn_scenes(network, options.scene_steps, threads=1, device=options.training_device, checkpoint=checkpoint)
    if classes == PERSON:
        return network
    torch.manual_seed(options.seed)
    others = net.build(options.size, classes)
    take_fitting(others, network.state_dict())
    return others


def trained(
    net: Net,
    source: DataSource,
    options: argparse.Namespace,
    *,
    changes: dict[str, Any] | None = None,
    teaching: Teaching = NO_TEACHING,
) -> nn.Module:
    """By the recipe, with these ``changes`` of its settings; continues an interrupted training."""
    network = taught_by_scenes(net, len(source.classes), options)
    settings = TrainSettings(
        input_size=options.size, steps=options.updates, batch_size=BATCH, evaluate_every=10_000, seed=options.seed,
        threads=1, device=options.training_device, **changes or {},
    )  # fmt: skip
    checkpoint = options.folder / f"{net.title.replace(' ', '-')}-{options.name}.safetensors"
    return train(network, source, settings, teaching=teaching, checkpoint=checkpoint).network


def row_of(net: Net, source: DataSource, other: DataSource, options: argparse.Namespace) -> dict[str, Any]:
    """Parameters, latency and scores of a net."""
    network = trained(net, source, options)
    scores, unseen = (part_scores(predictor_of(network, options.size), HeldOut(s), s.classes) for s in (source, other))
    return {
        **net.architecture,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "measured_ms": measured_ms(network, net, options),
        **figures(scores),
        "unseen_set": figures(unseen),
    }


def measured_ms(network: nn.Module, net: Net, options: argparse.Namespace) -> float:
    """Latency of its exported file."""
    path = options.folder / f"{net.title.replace(' ', '-')}.onnx"
    export_module(network, path, {"image": torch.zeros(1, 3, *options.size)})
    measured = latseg.Workspace(options.folder / "workspace").device("cpu").measure(path)
    return round(measured.measurement.latency_ms, 3)


def rows_of_gpu(nets: dict[str, Net], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows that ``on_gpu.py`` wrote for these nets and this size, with the latency on this CPU."""
    latency: dict[str, float] = {}
    found = []
    for row in map(json.loads, options.rows.read_text().splitlines()):
        net, size = Net.of(row["net"]), tuple(row["size"])
        if "error" in row or row["kind"] != "quality" or net.title not in nets or size != options.size:
            continue
        if net.title not in latency:
            latency[net.title] = measured_ms(nets[net.title].build(size).eval(), net, options)
        what = {"net": net.title, "data": row["data"], "size": "x".join(map(str, size))}
        kept = {name: row[name] for name in KEPT if name in row}
        found.append({**what, **nets[net.title].architecture, "measured_ms": latency[net.title], **kept})
    return found


class HeldOut(PairDataset):
    """Validation and test part of a source, one after the other."""

    def __init__(self, source: DataSource) -> None:
        super().__init__(source.test.size)
        self._parts = (source.validation, source.test)

    @override
    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @override
    def make(self, index: int) -> Pair:
        part, place = self._place(index)
        return part.make(place)

    @override
    def identity(self, index: int) -> str:
        part, place = self._place(index)
        return part.identity(place)

    def _place(self, index: int) -> tuple[PairDataset, int]:
        first, second = self._parts
        return (first, index) if index < len(first) else (second, index - len(first))


def figures(scores: PartScores) -> dict[str, Any]:
    """The scores of a part."""
    outline = scores.boundary_f1
    return {
        "mean_iou": round(scores.quality.mean_iou, 4),
        "mean_f1": round(scores.quality.mean_f1, 4),
        "boundary_f1": None if outline is None else round(outline, 4),
        "pictures": scores.quality.images,
    }


def peer_row(source: DataSource, options: argparse.Namespace) -> dict[str, Any]:
    """The free peer, which has seen neither set; its mean IoU alone, on the validation part."""
    peer = BroughtTeacher("selfie", source, options.folder, 1)
    return {"validation_mean_iou": round(peer.compared(ignore_progress).mean_iou, 4)}


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No net that was not searched is better within a searched net's budget."""
    found = []
    for row in rows:
        budget = re.search(r"within-([\d.]+)ms", row["net"])
        others = [
            one for one in rows if (one["data"], one["size"]) == (row["data"], row["size"]) and _not_searched(one)
        ]
        if budget is None or not others:
            continue
        best = max((one["mean_iou"] for one in others if one["measured_ms"] <= float(budget[1])), default=0.0)
        lead = round(row["mean_iou"] - best, 4)
        what = f"{row['data']}: lead of {row['net']} over the best other net within its budget"
        found.append({"what": what, "goal": ">= 0", "value": lead, "met": lead >= 0})
    return found


def _not_searched(row: dict[str, Any]) -> bool:
    return "measured_ms" in row and not row["net"].startswith(SEARCHED)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="+", type=Net.of, help="designed:NAME, known:NAME or searched:FILE")
    parser.add_argument("--data", help="a source with two classes, such as folder:PATH")
    parser.add_argument("--name", help="of the data, for the result")
    parser.add_argument("--other", help="the set that no net has seen")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(128, 128))
    parser.add_argument("--folder", type=Path, default=Path("build/quality"))
    parser.add_argument("--scene-steps", type=int, default=1500)
    parser.add_argument("--updates", type=int, default=750)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--training-device", default="cpu")
    parser.add_argument("--peer", action="store_true", help="a row of the free peer, too")
    parser.add_argument("--rows", type=Path, help="of on_gpu.py: nothing is trained here")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    if not options.rows and None in (options.data, options.name, options.other):
        parser.error("--data, --name and --other, or --rows")
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = json.loads(options.result.read_text())["rows"] if options.result.exists() else []
    size = "x".join(map(str, options.size))
    done = {(row["net"], row["data"], row["size"], row.get("seed", 0)) for row in rows}
    titles = {net.title: net for net in options.nets}
    if options.rows:
        made = rows_of_gpu(titles, options)
        rows += [row for row in made if (row["net"], row["data"], row["size"], row["seed"]) not in done]
        save(options.result, {"rows": rows, "goals": goals(rows), "provenance": provenance()})
        print_goals(goals(rows))
        return
    source, other = (open_source(text, size=options.size, resize_masks=True) for text in (options.data, options.other))
    for title in [*titles, *(["free peer"] if options.peer else [])]:
        if (title, options.name, size, options.seed) in done:
            continue
        made = row_of(titles[title], source, other, options) if title in titles else peer_row(source, options)
        rows.append({"net": title, "data": options.name, "size": size, **made, "commit": commit()})
        sys.stderr.write(f"{rows[-1]}\n")
        save(options.result, {"rows": rows, "goals": goals(rows), "provenance": provenance()})
    print_goals(goals(rows))


if __name__ == "__main__":
    main()
