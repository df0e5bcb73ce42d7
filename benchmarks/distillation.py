"""What a teacher gives a student: variants of distillation at equal updates, with and without a teacher.

The student is a net designed by hand that has learned from scenes (``segmentation/training/scenes.py``). Teachers: the
one that ``latseg`` trains on the same pairs, and a brought one, ``selfie``. Their outputs are stored once. Validation
pairs are judged, the test part is not read; photographs stay where they are. Resumable: a row that the result holds is
not made again. Writes ``benchmarks/results/distillation.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from hand_designed import DESIGNS, architecture
from torch import Tensor, nn

from foundation.progress import ignore_progress
from provenance import RESULTS, print_goals, provenance, save
from search.spaces.portrait.space import PortraitSpace
from search.teachers.brought import BroughtTeacher
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, batch_of
from segmentation.data.unlabelled import open_unlabelled
from segmentation.evaluation import evaluate
from segmentation.networks.network import Network
from segmentation.networks.teacher import teacher_plan
from segmentation.normalisation import normalise
from segmentation.pretrained.weights import start_from
from segmentation.training import train as training
from segmentation.training.scenes import learn_scenes
from segmentation.training.settings import TrainSettings
from segmentation.training.soft_labels import SoftLabels, soft_label
from segmentation.training.teaching import NO_TEACHING, StoredTargets, Teaching
from segmentation.training.train import train

BATCH = 16
RESULT = RESULTS / "distillation.json"
SIZE = (128, 128)
SPACE = PortraitSpace(sizes=(SIZE,))
TEACHER_UPDATES = 200
_SMALLEST = 1 / 510


def channel_wise(student: Tensor, probabilities: Tensor, *, temperature: float) -> Tensor:
    """Divergence between where in the image each class is (Shu et al., arXiv 2011.13256, equation 6)."""
    teacher = probabilities.clamp(_SMALLEST, 1).log().flatten(2)
    expected = (teacher / temperature).log_softmax(2)
    found = (student.flatten(2) / temperature).log_softmax(2)
    return (expected.exp() * (expected - found)).sum(2).mean() * temperature**2


def standardised(student: Tensor, probabilities: Tensor, *, temperature: float) -> Tensor:
    """Divergence of the pixels' logits after each net's logits got mean 0 and deviation 1 (arXiv 2403.01427)."""

    def standard(logits: Tensor) -> Tensor:
        flat = logits.flatten(1)
        mean, deviation = flat.mean(1), flat.std(1) + 1e-6
        return (logits - mean.view(-1, 1, 1, 1)) / deviation.view(-1, 1, 1, 1) / temperature

    expected = standard(probabilities.clamp(_SMALLEST, 1).log()).log_softmax(1)
    found = standard(student).log_softmax(1)
    return (expected.exp() * (expected - found)).sum(1).mean() * temperature**2


Loss = Callable[..., Tensor]
VARIANTS: dict[str, tuple[str, dict[str, Any], Loss | None, bool]] = {
    "no teacher": ("none", {}, None, False),
    "own, temperature 1": ("own", {"temperature": 1.0}, None, False),
    "own, temperature 2": ("own", {"temperature": 2.0}, None, False),
    "brought, temperature 1": ("brought", {"temperature": 1.0}, None, False),
    "brought, temperature 2": ("brought", {"temperature": 2.0}, None, False),
    "brought, weight 3": ("brought", {"temperature": 1.0, "distillation_weight": 3.0}, None, False),
    "brought, channel-wise": ("brought", {"temperature": 4.0}, channel_wise, False),
    "brought, standardised logits": ("brought", {"temperature": 1.0}, standardised, False),
    "brought, more photographs": ("brought", {"temperature": 1.0}, None, True),
}
"""Teacher, settings, a loss in the place of the pixel-wise one, and whether photographs without masks are used."""


def own_teacher(source: DataSource, options: argparse.Namespace) -> tuple[Teaching, float]:
    """What the teacher that is trained on the same pairs says of them, and its mean IoU."""
    torch.manual_seed(options.seed)
    network = Network(teacher_plan())
    start_from(network, "teacher")
    settings = TrainSettings(
        input_size=SIZE, steps=TEACHER_UPDATES, batch_size=BATCH, evaluate_every=10_000, seed=options.seed, threads=1
    )
    quality = train(network, source, settings).quality
    return Teaching(StoredTargets("own", stored(network, source))), quality.mean_iou


def stored(network: nn.Module, source: DataSource) -> SoftLabels:
    """The network's probabilities for the training part."""
    planes = []
    with torch.inference_mode():
        for index in range(len(source.train)):
            images, _ = batch_of(source.train, [index])
            planes.append(soft_label(network.eval()(normalise(images)).softmax(1)[0]))
    return SoftLabels(torch.stack(planes), torch.ones(len(planes), dtype=torch.bool))


class Teachings:
    """What the teachers say, asked once."""

    def __init__(self, source: DataSource, options: argparse.Namespace) -> None:
        self._source, self._options = source, options
        self._known: dict[tuple[str, bool], Teaching] = {("none", False): NO_TEACHING}
        self.quality: dict[str, float] = {}

    def __call__(self, teacher: str, more: bool) -> Teaching:
        """Of ``none``, ``own`` or ``brought``; ``more`` adds photographs without masks."""
        key = (teacher, more)
        if key not in self._known:
            self._known[key] = self._own() if teacher == "own" else self._brought(more)
        return self._known[key]

    def _own(self) -> Teaching:
        teaching, self.quality["own"] = own_teacher(self._source, self._options)
        return teaching

    def _brought(self, more: bool) -> Teaching:
        options = self._options
        brought = BroughtTeacher(options.teacher, self._source, options.folder, 1)
        self.quality["brought"] = brought.compared(ignore_progress).mean_iou
        pictures = open_unlabelled(options.unlabelled, self._source)[0] if more else None
        return brought.teaching(pictures, ignore_progress)


def rows_of(source: DataSource, done: set[str], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each variant comes to that is not done."""
    scenes = options.folder / f"scenes-{options.design}.safetensors"
    teachings = Teachings(source, options)
    for name in options.variants:
        teacher, changes, loss, more = VARIANTS[name]
        if name in done or (more and options.unlabelled is None):
            continue
        torch.manual_seed(options.seed)
        network = Network(SPACE.plan(architecture(DESIGNS[options.design], SIZE)))
        learn_scenes(network, options.scene_steps, threads=1, checkpoint=scenes)
        settings = TrainSettings(
            input_size=SIZE, steps=options.updates, batch_size=BATCH, evaluate_every=10_000, seed=options.seed,
            threads=1, **changes,
        )  # fmt: skip
        teaching = teachings(teacher, more)
        with ExitStack() as patches:
            if loss is not None:
                patches.enter_context(patch.object(training, "distillation_from_probabilities", loss))
            result = train(network, source, settings, teaching=teaching)
        yield {
            "data": options.name,
            "variant": name,
            "training_pairs": len(source.train),
            "validation_pairs": len(source.validation),
            "teacher_mean_iou": round(teachings.quality[teacher], 4) if teacher != "none" else None,
            "mean_iou": round(result.quality.mean_iou, 4),
            "training_mean_iou": round(evaluate(result.network, source.train, SIZE).mean_iou, 4),
            "seconds": round(result.seconds),
        }


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether a teacher is not worse than none."""
    alone = {row["data"]: row["mean_iou"] for row in rows if row["variant"] == "no teacher"}
    found = []
    for row in rows:
        if row["variant"] != "no teacher" and row["data"] in alone:
            gain = round(row["mean_iou"] - alone[row["data"]], 4)
            what = f"{row['data']}: gain of {row['variant']}"
            found.append({"what": what, "goal": ">= 0", "value": gain, "met": gain >= 0})
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a source with two classes, such as folder:PATH")
    parser.add_argument("--name", required=True, help="of the data, for the result")
    parser.add_argument("--unlabelled", type=Path, help="photographs without masks for the last variant")
    parser.add_argument("--teacher", default="selfie")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--folder", type=Path, default=Path("build/distillation"))
    parser.add_argument("--design", default="plain", choices=DESIGNS)
    parser.add_argument("--scene-steps", type=int, default=1500)
    parser.add_argument("--updates", type=int, default=750)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    source = open_source(options.data, size=SIZE, resize_masks=True)
    rows: list[dict[str, Any]] = json.loads(options.result.read_text())["rows"] if options.result.exists() else []
    done = {row["variant"] for row in rows if row["data"] == options.name}
    for row in rows_of(source, done, options):
        rows.append(row)
        sys.stderr.write(f"{row}\n")
        document = {
            "student": options.design,
            "updates": options.updates,
            "rows": rows,
            "goals": goals(rows),
            "provenance": provenance(),
        }
        save(options.result, document)
    print_goals(goals(rows))


if __name__ == "__main__":
    main()
