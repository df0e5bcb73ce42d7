"""Trains many nets at a time on one GPU: what ``quality``, ``recipe``, ``distillation`` and ``ranking`` need days for.

Jobs are taken in their order until ``--seconds`` are over; a job that the file of rows holds is not made again. The
photographs are decoded and the scenes drawn before, and shared by the processes. Latency is not measured here:
``quality.py --rows`` does that on the CPU for which the nets were searched. Writes rows, one JSON object a line, and
the weights of the nets of the quality table.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import os
import sys
import tarfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import quality
import torch
from distillation import TEACHER_UPDATES, stored
from quality import HeldOut, Net, figures
from ranking import sampler, spread_nets
from safetensors.torch import save_file
from typing_extensions import override

from foundation.progress import ignore_progress
from search.teachers.brought import BroughtTeacher
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, Pair, PairDataset
from segmentation.data.unlabelled import open_unlabelled
from segmentation.evaluation import evaluate, predictor_of
from segmentation.networks.network import Network
from segmentation.networks.teacher import teacher_plan
from segmentation.part_scores import part_scores
from segmentation.pretrained.weights import start_from
from segmentation.training import scenes
from segmentation.training.checkpoint import load_checkpoint, save_checkpoint
from segmentation.training.settings import TrainSettings
from segmentation.training.soft_labels import SoftLabels
from segmentation.training.teaching import NO_TEACHING, StoredTargets, Teaching
from segmentation.training.train import train

SMALL, LARGE = (128, 128), (256, 256)
SEEDS = (0, 1, 2)
LARGEST_KEPT = 1_000_000
"""Parameters of nets whose weights are kept."""
PART_BYTES = 15_000_000

RECIPE: dict[str, dict[str, Any]] = {
    "no moving average": {"ema_decay": 0.0},
    "moving average .999": {"ema_decay": 0.999},
    "no weight decay": {"weight_decay": 0.0},
    "weight decay 1e-2": {"weight_decay": 1e-2},
    "learning rate 3.5e-3": {"learning_rate": 3.5e-3},
    "learning rate 1.4e-2": {"learning_rate": 1.4e-2},
}
TAUGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "own teacher, temperature 1": ("own", {"temperature": 1.0}),
    "own teacher, temperature 2": ("own", {}),
    "selfie, temperature 1": ("selfie", {"temperature": 1.0}),
    "selfie, temperature 2": ("selfie", {}),
    "selfie, more photographs": ("more", {}),
}


@dataclass(frozen=True)
class Job:
    """One training."""

    kind: str
    net: str
    data: str
    size: tuple[int, int] = SMALL
    seed: int = 0
    updates: int = 2250
    scene_steps: int = 1500
    variant: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    teacher: str = "none"

    @property
    def key(self) -> str:
        """Its row's."""
        return json.dumps([*asdict(self).values()])

    def options(self, folder: Path) -> Any:
        """As of ``quality.py``."""
        place = folder / f"{self.size[0]}-{self.seed}-{self.scene_steps}"
        place.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{time.monotonic_ns()}"
        return SimpleNamespace(
            size=self.size, seed=self.seed, updates=self.updates, scene_steps=self.scene_steps, folder=place, name=name,
            training_device=DEVICE,
        )  # fmt: skip


DEVICE = "cuda"


class Decoded(PairDataset):
    """Pairs that were decoded before."""

    def __init__(self, part: PairDataset, pairs: list[Pair]) -> None:
        super().__init__(part.size)
        self._identities = [part.identity(index) for index in range(len(part))]
        self._pairs = pairs

    @override
    def __len__(self) -> int:
        return len(self._pairs)

    @override
    def make(self, index: int) -> Pair:
        return self._pairs[index]

    @override
    def identity(self, index: int) -> str:
        return self._identities[index]


def _made(task: tuple[PairDataset, int]) -> Pair:
    return task[0].make(task[1])


def decoded(source: DataSource, pool: Any) -> DataSource:
    """The source with its pairs in memory."""
    parts = {}
    for name in ("train", "validation", "test"):
        part = getattr(source, name)
        pairs = pool.map(_made, [(part, index) for index in range(len(part))], chunksize=8)
        parts[name] = Decoded(part, pairs)
    return replace(source, **parts)


@dataclass
class World:
    """What all jobs share."""

    sources: dict[tuple[str, tuple[int, int]], DataSource]
    scenes: dict[int, DataSource]
    photographs: dict[str, Path]
    folder: Path

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """One process at a time."""
        with (self.folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def teaching(self, job: Job) -> Teaching:
        """What the job's teacher says."""
        source = self.sources[job.data, job.size]
        if job.teacher == "none":
            return NO_TEACHING
        if job.teacher == "own":
            return Teaching(StoredTargets("own", self._own(job, source)))
        brought = BroughtTeacher("selfie", source, self.folder / "teachers" / job.data, 1)
        more = open_unlabelled(self.photographs[job.data], source)[0] if job.teacher == "more" else None
        return brought.teaching(more, ignore_progress)

    def _own(self, job: Job, source: DataSource) -> SoftLabels:
        name = f"own-{job.data}-{job.size[0]}-{job.seed}"
        path = self.folder / f"{name}.safetensors"
        with self.alone(name):
            if not path.exists():
                network, score = own_teacher(source, job)
                labels = stored(network, source)
                tensors = {"planes": labels.planes, "known": labels.known}
                save_checkpoint(path, tensors, {"mean_iou": score})
        tensors, _ = load_checkpoint(path)
        return SoftLabels(tensors["planes"], tensors["known"])


def own_teacher(source: DataSource, job: Job) -> tuple[Network, float]:
    """The teacher that ``latseg`` trains, and its mean IoU on the validation part."""
    torch.manual_seed(job.seed)
    network = Network(teacher_plan(len(source.classes)))
    start_from(network, "teacher")
    steps = TEACHER_UPDATES if job.kind == "distillation" else job.updates
    settings = TrainSettings(
        input_size=job.size, steps=steps, batch_size=quality.BATCH, evaluate_every=10_000, seed=job.seed, threads=1,
        device=DEVICE,
    )  # fmt: skip
    return network, train(network, source, settings).quality.mean_iou


def row_of(job: Job, world: World) -> dict[str, Any]:
    """Scores of the net that the job trains."""
    source = world.sources[job.data, job.size]
    start = time.monotonic()
    if job.net == "teacher":
        network: torch.nn.Module = own_teacher(source, job)[0]
    else:
        options, net = job.options(world.folder), Net.of(job.net)
        with world.alone(f"scenes-{net.title}-{job.size[0]}-{job.seed}-{job.scene_steps}".replace(" ", "-")):
            quality.taught_by_scenes(net, 2, options)
        start = time.monotonic()
        network = quality.trained(net, source, options, changes=job.changes, teaching=world.teaching(job))
    seconds = time.monotonic() - start
    found = {
        "validation_mean_iou": round(evaluate(network, source.validation, job.size).mean_iou, 4),
        "test_mean_iou": round(evaluate(network, source.test, job.size).mean_iou, 4),
        "training_mean_iou": round(evaluate(network, source.train, job.size, limit=200).mean_iou, 4),
        "updates_per_second": round(job.updates / seconds, 1),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    if job.kind == "quality":
        found |= held_out(network, job, world)
        keep(network, job, world.folder)
    return found


def held_out(network: torch.nn.Module, job: Job, world: World) -> dict[str, Any]:
    """As ``quality.row_of``."""
    predict = predictor_of(network, job.size)
    source = world.sources[job.data, job.size]
    scores = figures(part_scores(predict, HeldOut(source), source.classes))
    others = {"people": "celebamask", "celebamask": "people"}
    if job.data not in others:
        return scores
    other = world.sources[others[job.data], job.size]
    return scores | {"unseen_set": figures(part_scores(predict, HeldOut(other), other.classes))}


def keep(network: torch.nn.Module, job: Job, folder: Path) -> None:
    """The weights in 16 bits."""
    if sum(parameter.numel() for parameter in network.parameters()) > LARGEST_KEPT:
        return
    state = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    net = Net.of(job.net).title.replace(" ", "-") if job.net != "teacher" else "teacher"
    name = f"{net}_{job.data}_{job.size[0]}_{job.updates}_{job.seed}.safetensors"
    (folder / "weights").mkdir(exist_ok=True)
    save_file(state, folder / "weights" / name)


def jobs(nets: Path, ranked: list[str]) -> Iterator[Job]:
    """All of them, the more important ones first."""
    searched = [f"searched:{path}" for path in sorted(nets.glob("within-*.json"))]
    large = [net for net in searched if "-256" in net]
    small = [net for net in searched if net not in large]
    designs = [f"designed:{name}" for name in quality.DESIGNS]
    known = [f"known:{name}" for name in ("sinet", "lraspp", "portraitnet", "deeplabv3", "unet")]
    best = next(net for net in small if "1.03ms-95" in net)
    people, faces, parts = "people", "celebamask", "faces"
    first = [
        Job("quality", best, people),
        Job("quality", large[0], people, LARGE),
        Job("quality", best, parts),
        Job("distillation", best, people, variant="own teacher, temperature 2", teacher="own"),
        Job("distillation", best, people, variant="selfie, more photographs", teacher="more"),
        Job("quality", "teacher", people, variant="teacher", scene_steps=0),
    ]
    yield from first
    yield from (Job("quality", net, people) for net in [*small, *designs, *known])
    yield from (Job("quality", net, faces) for net in [*small, *designs, *known])
    at_large = [*large, "designed:plain", "designed:slim", "known:sinet"]
    yield from (Job("quality", net, data, LARGE) for net in at_large for data in (people, faces))
    yield from (Job("quality", net, parts) for net in [*small, "designed:slim", "designed:plain", "designed:expanded"])
    yield from (Job("quality", net, parts, LARGE) for net in [*large, "designed:plain"])
    for data in (people, faces, parts):
        yield Job("quality", "teacher", data, variant="teacher", scene_steps=0)
    for seed in SEEDS:
        for net in (best, "designed:plain"):
            for data in (people, faces):
                yield Job("distillation", net, data, seed=seed, variant="no teacher")
                for name, (teacher, changes) in TAUGHT.items():
                    if (teacher, data) != ("more", faces):
                        yield Job("distillation", net, data, seed=seed, variant=name, teacher=teacher, changes=changes)
        for data in (people, faces):
            yield Job("recipe", "designed:plain", data, seed=seed, variant="recipe")
            for name, changes in RECIPE.items():
                yield Job("recipe", "designed:plain", data, seed=seed, variant=name, changes=changes)
        if seed == 0:
            for net in (best, small[-1], "designed:plain"):
                for data in (people, faces):
                    yield Job("quality", net, data, updates=9000)
            for net in (large[-1],):
                for data in (people, faces):
                    yield Job("quality", net, data, LARGE, updates=9000)
    for seed in SEEDS[1:]:
        for data in (people, faces):
            yield from (Job("quality", net, data, seed=seed) for net in [*small, *designs])
    for data in (people, parts, faces):
        yield from (Job("ranking", net, data) for net in ranked)


def ranked_nets(options: argparse.Namespace) -> list[str]:
    """Nets for the ranking, spread over the budget; written where they are not yet."""
    if not any(options.nets.glob("ranked-*.json")):
        for number, net in enumerate(spread_nets(options.ranked, sampler(3e8), 100)):
            (options.nets / f"ranked-{number:02}.json").write_text(net.to_json())
    return [f"searched:{path}" for path in sorted(options.nets.glob("ranked-*.json"))]


def work(queue: Any, deadline: float, world: World, rows: Path) -> None:
    """One process: takes jobs until the deadline."""
    torch.set_num_threads(1)
    scenes._scenes = lambda steps, seed: world.scenes[seed]
    while time.time() < deadline:
        job = queue.get()
        if job is None:
            return
        try:
            found = row_of(job, world)
        except Exception:
            found = {"error": traceback.format_exc()[-1500:]}
        with rows.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps({**asdict(job), **found}) + "\n")


def shared(options: argparse.Namespace) -> World:
    """Decoded photographs and drawn scenes."""
    faces, people = options.photographs / "celeba/train", options.photographs / "people"
    texts = {"people": f"folder:{people}", "celebamask": f"celebamask:{faces}?person", "faces": f"celebamask:{faces}"}
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        sources = {
            (name, size): decoded(open_source(text, size=size, resize_masks=True), pool)
            for size in (SMALL, LARGE)
            for name, text in texts.items()
        }
        drawn = {seed: decoded(scenes._scenes(options.most_scenes, seed), pool) for seed in SEEDS}
    photographs = {"people": faces / "images", "celebamask": people / "images"}
    return World(sources, drawn, photographs, options.folder)


def pack(folder: Path, out: Path) -> None:
    """Weights in files that are not too large."""
    files = sorted((folder / "weights").glob("*"))
    part, size = 0, 0
    for path in files:
        size += path.stat().st_size
        if size > PART_BYTES:
            part, size = part + 1, path.stat().st_size
        with tarfile.open(out / f"weights-{part}.tar", "a") as file:
            file.add(path, path.name)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="folder with celeba/train and people")
    parser.add_argument("--nets", type=Path, required=True, help="folder of searched nets")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--ranked", type=int, default=32)
    parser.add_argument("--most-scenes", type=int, default=1500)
    parser.add_argument("--only", type=int, default=10_000, help="jobs")
    parser.add_argument("--quick", action="store_true", help="a few updates on the CPU, to try the script")
    options = parser.parse_args()
    start = time.time()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = options.folder / "rows.jsonl"
    world = shared(options)
    sys.stderr.write(f"prepared after {time.time() - start:.0f} s\n")
    done = {
        json.dumps([row[name] for name in Job.__dataclass_fields__])
        for row in map(json.loads, rows.read_text().splitlines() if rows.exists() else [])
        if "error" not in row
    }
    if options.quick:
        globals()["DEVICE"] = "cpu"
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    todo = list(dict((job.key, job) for job in jobs(options.nets, ranked_nets(options))).values())
    todo = [job for job in todo if job.key not in done][: options.only]
    for job in todo:
        queue.put(replace(job, updates=2, scene_steps=min(2, job.scene_steps)) if options.quick else job)
    for _ in range(options.processes):
        queue.put(None)
    deadline = start + options.seconds
    workers = [context.Process(target=work, args=(queue, deadline, world, rows)) for _ in range(options.processes)]
    for worker in workers:
        worker.start()
    while time.time() < deadline and any(worker.is_alive() for worker in workers):
        time.sleep(1)
    for worker in workers:
        worker.kill()
    (options.out / "rows.jsonl").write_text(rows.read_text() if rows.exists() else "")
    pack(options.folder, options.out)
    made = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    sys.stderr.write(f"{len(made)} of {len(done) + len(todo)} rows after {time.time() - start:.0f} s\n")
    for row in made:
        if "error" in row:
            sys.stderr.write(f"{row['kind']} {row['net']} {row['variant']}: {row['error']}\n")
    for row in made[-8:]:
        sys.stderr.write(json.dumps({k: v for k, v in row.items() if k not in ("changes",)}) + "\n")


if __name__ == "__main__":
    main()
