"""Trains many nets at a time on one GPU: what ``quality``, ``recipe``, ``distillation`` and ``ranking`` need days for.

Jobs (``gpu_jobs.py``) are taken in their order until ``--seconds`` are over; a job that the file of rows holds is not
made again. The photographs are decoded and the scenes drawn before, and shared by the processes, which do best under
NVIDIA's multi-process service (``nvidia-cuda-mps-control -d``). Latency is not measured here: ``quality.py --rows``
does that on the CPU for which the nets were searched. What a brought teacher says must have been stored before. Writes
``rows.jsonl``, one JSON object a line, and the weights of small nets in ``weights-NUMBER.tar``.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import os
import re
import sys
import tarfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import quality
import torch
from distillation import TEACHER_UPDATES, stored
from gpu_jobs import FACES, PARTS, PEOPLE, PLANS, TEACHER, Job, key_of
from quality import HeldOut, Net, figures
from ranking import sampler, spread_nets
from safetensors.torch import save_file
from torch import nn
from typing_extensions import override

from foundation.progress import ignore_progress
from provenance import commit
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

LARGEST_KEPT = 1_000_000
"""Parameters of nets whose weights are kept."""
TAR_BYTES = 15_000_000


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
    parts = {name: getattr(source, name) for name in ("train", "validation", "test")}
    tasks = {name: [(part, index) for index in range(len(part))] for name, part in parts.items()}
    return replace(source, **{n: Decoded(parts[n], pool.map(_made, tasks[n], chunksize=8)) for n in parts})


def _drawn(count: int, size: tuple[int, int]) -> DataSource:
    with patch.multiple(scenes, _MOST_SCENES=count, _SIZE=size):
        return scenes._scenes(count, 0)


@dataclass
class World:
    """What all jobs share."""

    sources: dict[tuple[str, tuple[int, int]], DataSource]
    scenes: dict[tuple[int, tuple[int, int]], DataSource]
    """By their number and size."""
    photographs: dict[str, Path]
    """Those without masks, by the data beside which they are used."""
    folder: Path
    device: str

    @classmethod
    def of(cls, options: argparse.Namespace, todo: Sequence[Job]) -> World:
        """Decodes the photographs and draws the scenes that the jobs need, on all cores."""
        faces, people = options.photographs / "celeba/train", options.photographs / "people"
        texts = {PEOPLE: f"folder:{people}", FACES: f"celebamask:{faces}?person", PARTS: f"celebamask:{faces}"}
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
            sources = {
                (name, size): decoded(open_source(text, size=size, resize_masks=True), pool)
                for size in {job.size for job in todo}
                for name, text in texts.items()
            }
            kinds = {(job.scenes, job.scene_size) for job in todo if job.scene_steps}
            drawn = {kind: decoded(_drawn(*kind), pool) for kind in kinds}
        photographs = {PEOPLE: faces / "images", FACES: people / "images"}
        return cls(sources, drawn, photographs, options.folder, options.training_device)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """One process at a time."""
        with (self.folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def scenes_of(self, job: Job) -> str:
        """Equal for jobs of one net that learn alike from scenes."""
        return "-".join(map(str, (*job.size, job.seed, job.scene_steps, job.scenes, *job.scene_size)))

    def options(self, job: Job) -> argparse.Namespace:
        """As of ``quality.py``."""
        folder = self.folder / self.scenes_of(job)
        folder.mkdir(parents=True, exist_ok=True)
        # Only what was learned from scenes is read again, by the other jobs of the net.
        name = f"{os.getpid()}-{time.monotonic_ns()}"
        return argparse.Namespace(
            size=job.size, seed=job.seed, updates=job.updates, scene_steps=job.scene_steps, folder=folder, name=name,
            training_device=self.device,
        )  # fmt: skip


@dataclass(frozen=True)
class Training:
    """A job at work."""

    job: Job
    world: World

    @property
    def source(self) -> DataSource:
        """Its data."""
        return self.world.sources[self.job.data, self.job.size]

    def row(self) -> dict[str, Any]:
        """What the net comes to."""
        start = time.monotonic()
        network = self._own_teacher(self.job.updates)[0] if self.job.net == TEACHER else self._student()
        seconds = time.monotonic() - start
        validation, test = (evaluate(network, self.source_part(name), self.job.size) for name in ("validation", "test"))
        found = {
            "commit": commit(),
            "gpu": torch.cuda.get_device_name() if self.world.device == "cuda" else "none",
            "validation_mean_iou": round(validation.mean_iou, 4),
            "validation_mean_f1": round(validation.mean_f1, 4),
            "test_mean_iou": round(test.mean_iou, 4),
            "seconds": round(seconds),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        }
        if self.job.kind != "quality":
            return found
        self._keep(network)
        return found | self._held_out(network)

    def source_part(self, name: str) -> PairDataset:
        """``validation`` or ``test``."""
        part: PairDataset = getattr(self.source, name)
        return part

    def _student(self) -> nn.Module:
        job, world = self.job, self.world
        net, options = Net.of(job.net), world.options(job)
        title = net.title.replace(" ", "-")
        drawn = {"_scenes": lambda *_: world.scenes[job.scenes, job.scene_size], "_SIZE": job.scene_size}
        with patch.multiple(scenes, **drawn):
            with world.alone(f"{title}-{world.scenes_of(job)}"):
                quality.taught_by_scenes(net, quality.PERSON, options)
            return quality.trained(net, self.source, options, changes=job.changes, teaching=self._teaching())

    def _teaching(self) -> Teaching:
        job, source = self.job, self.source
        if job.teacher == "none":
            return NO_TEACHING
        if job.teacher == "own":
            return Teaching(StoredTargets("own", self._own_labels()))
        brought = BroughtTeacher("selfie", source, self.world.folder / "teachers" / job.data, 1)
        more = open_unlabelled(self.world.photographs[job.data], source)[0] if job.teacher == "more" else None
        # Its answers are stored: its runtime may be missing here.
        with patch("search.teachers.net.runtime_of"):
            return brought.teaching(more, ignore_progress)

    def _own_labels(self) -> SoftLabels:
        """What the teacher that ``latseg`` trains says of the training part; made once."""
        name = f"own-{self.job.data}-{self.job.size[0]}-{self.job.seed}"
        path = self.world.folder / f"{name}.safetensors"
        with self.world.alone(name):
            if not path.exists():
                network, score = self._own_teacher(TEACHER_UPDATES)
                labels = stored(network, self.source)
                save_checkpoint(path, {"planes": labels.planes, "known": labels.known}, {"mean_iou": score})
        tensors, _ = load_checkpoint(path)
        return SoftLabels(tensors["planes"], tensors["known"])

    def _own_teacher(self, updates: int) -> tuple[Network, float]:
        torch.manual_seed(self.job.seed)
        network = Network(teacher_plan(len(self.source.classes)))
        start_from(network, "teacher")
        settings = TrainSettings(
            input_size=self.job.size, steps=updates, batch_size=quality.BATCH, evaluate_every=10_000,
            seed=self.job.seed, threads=1, device=self.world.device,
        )  # fmt: skip
        return network, train(network, self.source, settings).quality.mean_iou

    def _held_out(self, network: nn.Module) -> dict[str, Any]:
        """As ``quality.row_of``."""
        predict = predictor_of(network, self.job.size)
        scores = figures(part_scores(predict, HeldOut(self.source), self.source.classes))
        other = {PEOPLE: FACES, FACES: PEOPLE}.get(self.job.data)
        if other is None:
            return scores
        unseen = self.world.sources[other, self.job.size]
        return scores | {"unseen_set": figures(part_scores(predict, HeldOut(unseen), unseen.classes))}

    def _keep(self, network: nn.Module) -> None:
        """The weights in 16 bits."""
        if sum(parameter.numel() for parameter in network.parameters()) > LARGEST_KEPT:
            return
        values = network.state_dict().items()
        state = {name: value.half() if value.is_floating_point() else value for name, value in values}
        job = self.job
        title = Net.of(job.net).title.replace(" ", "-")
        folder = self.world.folder / "weights"
        folder.mkdir(exist_ok=True)
        name = f"{title}_{job.data}_{job.updates}_{self.world.scenes_of(job)}"
        save_file(state, folder / f"{name}.safetensors")


def work(queue: Any, deadline: float, world: World, rows: Path) -> None:
    """One process: takes jobs until the deadline."""
    torch.set_num_threads(1)
    while time.time() < deadline and (job := queue.get()) is not None:
        try:
            found = Training(job, world).row()
        except Exception:  # the other jobs go on; the row says it
            found = {"error": traceback.format_exc()[-1500:]}
        with rows.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps({**asdict(job), **found}) + "\n")


def write_ranked_nets(folder: Path, count: int) -> None:
    """Nets for the ranking, spread over the budget, where there are none yet."""
    if not any(folder.glob("ranked-*.json")):
        for number, net in enumerate(spread_nets(count, sampler(3e8), 100)):
            (folder / f"ranked-{number:02}.json").write_text(net.to_json())


def pack(weights: Path, out: Path) -> None:
    """The weights in files that are not too large."""
    part, size = 0, 0
    for path in sorted(weights.glob("*")):
        size += path.stat().st_size
        if size > TAR_BYTES:
            part, size = part + 1, path.stat().st_size
        with tarfile.open(out / f"weights-{part}.tar", "a") as file:
            file.add(path, path.name)


def rows_in(path: Path) -> list[dict[str, Any]]:
    """Of jobs that did not fail."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [row for row in rows if "error" not in row]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="folder with celeba/train and people")
    parser.add_argument("--nets", type=Path, required=True, help="folder of searched nets, within-BUDGETms.json")
    parser.add_argument("--folder", type=Path, required=True, help="for what is not kept")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--ranked", type=int, default=32)
    parser.add_argument("--training-device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--plan", choices=PLANS, default="all")
    parser.add_argument("--match", default="", help="regular expression; only jobs in whose text it is found are taken")
    parser.add_argument("--updates", type=int, help="of every job, as many on scenes, to try the script")
    parser.add_argument("--jobs", type=int, help="how many are taken at most")
    options = parser.parse_args()
    deadline = time.time() + options.seconds
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = options.folder / "rows.jsonl"
    write_ranked_nets(options.nets, options.ranked)
    changes = {} if options.updates is None else dict.fromkeys(("updates", "scene_steps", "scenes"), options.updates)
    done = {key_of(row) for row in rows_in(rows)}
    todo = [
        job for job in (replace(job, **changes) for job in PLANS[options.plan](options.nets)) if job.key not in done
    ]
    todo = [job for job in todo if re.search(options.match, job.key)][: options.jobs]
    world = World.of(options, todo)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    for job in [*todo, *[None] * options.processes]:
        queue.put(job)
    workers = [context.Process(target=work, args=(queue, deadline, world, rows)) for _ in range(options.processes)]
    for worker in workers:
        worker.start()
    while time.time() < deadline and any(worker.is_alive() for worker in workers):
        time.sleep(1)
    for worker in workers:
        worker.kill()
    (options.out / "rows.jsonl").write_text(rows.read_text())
    pack(options.folder / "weights", options.out)
    sys.stderr.write(f"{len(rows_in(rows))} rows, {len(todo)} jobs were to do\n{rows.read_text()}")
    sys.stderr.flush()
    os._exit(0)  # the queue would wait for readers of what is left in it


if __name__ == "__main__":
    main()
