"""Every training option makes a difference to what is trained."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from search.evaluators import supernet as evaluating
from search.evaluators.supernet import SupernetEvaluator
from search.options import DataOptions, TrainingOptions
from search.spaces.auxiliary_cells.space import AuxiliaryCellsSpace
from search.spaces.plan_space import PlanSpace
from search.spaces.portrait.space import PortraitSpace
from search.tasks import segmentation as tasks
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions
from segmentation.metrics import Quality
from segmentation.training.settings import TrainSettings

SPACE = PortraitSpace(sizes=[(160, 128)])
(NET,) = SPACE.sample(1, Random(0))
BASE = TrainingOptions(
    teacher_epochs=3, supernet_steps=21, winner_epochs=5, scene_steps=0, batch_size=6, evaluation_images=7, threads=1
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings and arguments of each training; nothing is trained."""
    seen: dict[str, Any] = {}

    def trained(name: str) -> Any:
        def call(*arguments: Any, **keywords: Any) -> SimpleNamespace:
            settings = next(one for one in arguments if isinstance(one, TrainSettings))
            seen[name], seen[f"{name} keywords"] = settings, keywords
            quality = Quality(0.5, 0.5, 0.5, (0.5, 0.5), (0.5, 0.5), 1)
            return SimpleNamespace(network="net of the " + name, quality=quality, epochs=1, seconds=0.0)

        return call

    def supernet(*arguments: Any, **keywords: Any) -> None:
        seen["shared weights"], seen["supernet"], seen["supernet keywords"] = arguments[0], arguments[3], keywords

    monkeypatch.setattr(tasks, "train", trained("student"))
    monkeypatch.setattr(tasks, "trained_teacher", trained("teacher"))
    monkeypatch.setattr(evaluating, "train_supernet", supernet)
    return seen


def train(
    calls: dict[str, Any],
    folder: Path,
    *,
    seed: int = 0,
    epochs: int | None = None,
    short: bool = False,
    space: PlanSpace = SPACE,
    **changes: Any,
) -> Any:
    training = BASE.model_copy(update=changes)
    data = DataOptions(source="synthetic:8", size=(100, 64))
    net = NET if space is SPACE else space.sample(1, Random(0))[0]
    task = SegmentationTask(space, TaskOptions(data, training, seed, folder))
    task.train(net, checkpoint=folder / "net.safetensors", epochs=epochs, short=short)
    SupernetEvaluator(space, task, folder=folder, seed=seed, pool=2).prepare(lambda _, __: [net])
    return SimpleNamespace(**{name.replace(" ", "_"): value for name, value in calls.items()})


def test_what_the_options_say(calls: dict[str, Any], tmp_path: Path) -> None:
    seen = train(calls, tmp_path)
    student, teacher, supernet = seen.student, seen.teacher, seen.supernet
    assert (student.epochs, teacher.epochs, supernet.steps) == (5, 3, 21)
    assert student.batch_size == teacher.batch_size == supernet.batch_size == 6
    assert student.evaluate_limit == teacher.evaluate_limit == 7
    assert student.threads == teacher.threads == 1
    assert student.seed == teacher.seed == supernet.seed == 0
    assert student.input_size == (160, 128)
    assert teacher.input_size == student.teacher_input_size == supernet.teacher_size == (128, 64)
    assert seen.student_keywords["teacher"] == seen.supernet_keywords["teacher"] == "net of the teacher"
    assert seen.teacher_keywords["checkpoint"] == tmp_path / "teacher.safetensors"
    assert seen.supernet_keywords["checkpoint"] == tmp_path / "supernet.safetensors"
    assert seen.student_keywords["checkpoint"] == tmp_path / "net.safetensors"


@pytest.mark.parametrize(
    ("change", "parts", "field", "expected"),
    [
        ({"teacher_epochs": 4}, ["teacher"], "epochs", 4),
        ({"winner_epochs": 9}, ["student"], "epochs", 9),
        ({"epochs": 2}, ["student"], "epochs", 2),
        ({"supernet_steps": 22}, ["supernet"], "steps", 22),
        ({"batch_size": 3}, ["student", "teacher", "supernet"], "batch_size", 3),
        ({"evaluation_images": 2}, ["student", "teacher"], "evaluate_limit", 2),
        ({"threads": 2}, ["student", "teacher"], "threads", 2),
        ({"seed": 5}, ["student", "teacher", "supernet"], "seed", 5),
        ({"training_size": (40, 33)}, ["teacher"], "input_size", (64, 64)),
        ({"training_size": (40, 33)}, ["student"], "teacher_input_size", (64, 64)),
        ({"training_size": (40, 33)}, ["supernet"], "teacher_size", (64, 64)),
    ],
)
def test_each_option_changes_its_trainings(
    calls: dict[str, Any], tmp_path: Path, change: dict[str, Any], parts: list[str], field: str, expected: object
) -> None:
    seen = train(calls, tmp_path, **change)
    assert [getattr(getattr(seen, part), field) for part in parts] == [expected] * len(parts)


@pytest.mark.parametrize(
    ("pairs", "epochs"), [(8, 4500), (15, 4500), (240, 150), (1000, 36), (1300, 30), (100_000, 30)]
)
def test_few_pairs_are_seen_more_often_by_default(pairs: int, epochs: int) -> None:
    assert TrainingOptions().epochs_of_winner(pairs) == epochs
    assert TrainingOptions(winner_epochs=3).epochs_of_winner(pairs) == 3


def test_a_winner_takes_its_epochs_from_the_number_of_pairs(calls: dict[str, Any], tmp_path: Path) -> None:
    assert train(calls, tmp_path, winner_epochs=None).student.epochs == 36_000 / 6


def test_without_a_teacher(calls: dict[str, Any], tmp_path: Path) -> None:
    seen = train(calls, tmp_path, teacher_epochs=0)
    assert "teacher" not in calls
    assert seen.student.teacher_input_size is None
    assert seen.supernet.teacher_size is None
    assert seen.student_keywords["teacher"] is None
    assert seen.supernet_keywords["teacher"] is None


def test_a_short_training_has_no_teacher_that_runs_in_every_step(calls: dict[str, Any], tmp_path: Path) -> None:
    student = train(calls, tmp_path, short=True)
    assert student.student_keywords["teacher"] is None
    assert student.student.teacher_input_size is None


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_teacher_begins_with_shipped_weights_unless_told_otherwise(
    calls: dict[str, Any], tmp_path: Path, pretrained: bool
) -> None:
    assert train(calls, tmp_path, pretrained=pretrained).teacher_keywords["pretrained"] is pretrained


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_supernet_begins_with_shipped_weights_unless_told_otherwise(
    calls: dict[str, Any], tmp_path: Path, pretrained: bool
) -> None:
    begun = train(calls, tmp_path, pretrained=pretrained).shared_weights.state_dict()
    shipped = SPACE.supernet(pretrained=True).state_dict()
    name = "shared.stem:weight:main"
    assert torch.equal(begun[name], shipped[name]) is pretrained


@pytest.mark.parametrize(("pretrained", "steps"), [(True, 1), (False, 400)])
def test_a_supernet_with_shipped_weights_is_hardly_trained_by_default(
    calls: dict[str, Any], tmp_path: Path, pretrained: bool, steps: int
) -> None:
    assert train(calls, tmp_path, pretrained=pretrained, supernet_steps=None).supernet.steps == steps


def test_a_supernet_of_which_only_the_encoder_ships_is_trained(calls: dict[str, Any], tmp_path: Path) -> None:
    space = AuxiliaryCellsSpace(encoder="small", sizes=[(160, 128)])
    assert train(calls, tmp_path, space=space, supernet_steps=None).supernet.steps == 400


@pytest.mark.parametrize(("epochs", "every"), [(5, 1), (199, 1), (200, 2), (4500, 45)])
def test_many_short_epochs_are_not_all_evaluated(
    calls: dict[str, Any], tmp_path: Path, epochs: int, every: int
) -> None:
    assert train(calls, tmp_path, winner_epochs=epochs).student.evaluate_every == every
