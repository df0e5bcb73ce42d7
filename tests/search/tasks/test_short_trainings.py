"""What a candidate is trained with in a short training, and what says that two machines train it alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search.options import DataOptions, TrainingOptions
from search.spaces.portrait.space import PortraitSpace
from search.tasks import segmentation
from search.tasks.segmentation import SegmentationTask
from search.tasks.task import TaskOptions
from segmentation.training.teaching import Teaching
from tests.search.teachers.people import photographs

SPACE = PortraitSpace(sizes=[(128, 128)])


def task_with(folder: Path, **training: Any) -> SegmentationTask:
    options = TrainingOptions(batch_size=2, threads=1, pretrained=False, scene_steps=0, **training)
    return SegmentationTask(SPACE, TaskOptions(DataOptions(source="synthetic:10", size=(64, 64)), options, 0, folder))


class _BegunError(Exception):
    """Ends the training when it begins."""


@pytest.mark.parametrize(("short", "count"), [(True, 0), (False, 5)])
def test_photographs_without_masks_wait_for_a_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: bool, count: int
) -> None:
    """A short training has no teacher of the run, without which they have nothing to teach."""
    seen: list[Teaching] = []

    def begun(*_: object, teaching: Teaching, **__: object) -> None:
        seen.append(teaching)
        raise _BegunError

    monkeypatch.setattr(segmentation, "train", begun)
    monkeypatch.setattr(SegmentationTask, "teacher", lambda *_: None)
    task = task_with(tmp_path, unlabelled=str(photographs(tmp_path / "more")), teacher_epochs=1)
    (net,) = SPACE.sample(1, Random(0))
    with pytest.raises(_BegunError):
        task.train(net, checkpoint=tmp_path / "net.safetensors", short=short)
    assert [each.count for each in seen] == [count]


def test_the_fingerprint_tells_what_teaches_besides_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = task_with(tmp_path)
    more = task_with(tmp_path, unlabelled=str(photographs(tmp_path / "more")), teacher_epochs=1)
    fewer = task_with(tmp_path, unlabelled=str(photographs(tmp_path / "fewer", 4)), teacher_epochs=1)
    assert len({plain.fingerprint, more.fingerprint, fewer.fingerprint}) == 3
    brought = []
    for identity in ("one", "other"):
        task = SegmentationTask(SPACE, replace(plain.options))
        monkeypatch.setattr(task, "brought", type("Brought", (), {"identity": identity})(), raising=False)
        brought.append(task.fingerprint)
    assert len({plain.fingerprint, *brought}) == 3
