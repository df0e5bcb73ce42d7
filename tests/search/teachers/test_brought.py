"""A teacher is compared with the masks, labels every picture once, and what it said is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foundation.errors import UserError
from foundation.progress import Progress, ignore_progress
from search.teachers import net as nets
from search.teachers.brought import BroughtTeacher
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.data.unlabelled import open_unlabelled
from tests.search.teachers.people import IMAGENET, SIZE, folder, photographs, picture, source, teacher


@pytest.fixture
def pairs(tmp_path: Path) -> DataSource:
    return source(tmp_path / "people")


def brought(pairs: DataSource, tmp_path: Path, path: Path, given: str = "") -> BroughtTeacher:
    return BroughtTeacher(f"{path}{given}", pairs, tmp_path / "run", 1)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each inference."""
    calls: list[int] = []
    run = nets.TeacherNet.run

    def counted(self: nets.TeacherNet, values: np.ndarray) -> list[np.ndarray]:
        calls.append(1)
        return run(self, values)

    monkeypatch.setattr(nets.TeacherNet, "run", counted)
    return calls


def test_a_good_teacher(pairs: DataSource, tmp_path: Path) -> None:
    mine = brought(pairs, tmp_path, teacher(tmp_path / "net.onnx", normalisation=IMAGENET, classes=21, person=15))
    record = mine.compared(ignore_progress)
    assert record.mean_iou > 0.99
    assert (record.pictures, record.failed) == (len(pairs.validation), 0)
    assert "mean=0.485/0.456/0.406" in record.description
    assert "person=15" in record.notes[0]
    assert "found out on labelled pictures: size" in record.notes[0]
    with Image.open(mine.worst) as worst:
        assert worst.size[0] > 400


def test_it_is_asked_once(pairs: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counting(monkeypatch)
    path = teacher(tmp_path / "net.onnx")
    more, _ = open_unlabelled(photographs(tmp_path / "more"), pairs)
    first = brought(pairs, tmp_path, path).teaching(more, ignore_progress)
    asked = len(calls)
    again = brought(pairs, tmp_path, path).teaching(more, ignore_progress)
    assert len(calls) == asked
    assert first.stored is not None
    assert again.stored is not None
    assert torch.equal(first.stored.labelled.planes, again.stored.labelled.planes)
    assert again.identity == first.identity
    assert again.count == 5
    for index in range(len(pairs.train)):
        likely = first.stored.labelled.batch([index])[0, 1] > 0.5
        assert torch.equal(likely, pairs.train[index][1] == 1)


def test_an_interruption_loses_one_file_of_answers(
    pairs: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.teachers.labelling._IN_ONE_FILE", 2)
    path = teacher(tmp_path / "net.onnx")

    def ctrl_c(progress: Progress) -> None:
        if progress.stage.endswith("training") and progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        brought(pairs, tmp_path, path).teaching(None, ctrl_c)
    calls = counting(monkeypatch)
    brought(pairs, tmp_path, path).teaching(None, ignore_progress)
    assert len(calls) == len(pairs.train) - 4


def test_other_teachers_and_other_descriptions_have_their_own_answers(pairs: DataSource, tmp_path: Path) -> None:
    path, other = teacher(tmp_path / "net.onnx"), teacher(tmp_path / "other.onnx", steep=1500)
    found = {brought(pairs, tmp_path, *of).identity for of in ((path,), (other,), (path, ":person=1"))}
    assert len(found) == 3


def test_a_damaged_file_of_answers_is_refused(pairs: DataSource, tmp_path: Path) -> None:
    mine = brought(pairs, tmp_path, teacher(tmp_path / "net.onnx"))
    mine.teaching(None, ignore_progress)
    (path,) = mine.folder.glob("training-*")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged after it was written"):
        mine.teaching(None, ignore_progress)


def test_a_teacher_that_sees_something_else_is_refused(pairs: DataSource, tmp_path: Path) -> None:
    path = teacher(tmp_path / "net.onnx", normalisation=IMAGENET)
    with pytest.raises(
        UserError,
        match=r"mean IoU 0\.\d+ against the masks .* expected at least 0\.6; look at .*teacher_worst-\w+\.png",
    ):
        brought(pairs, tmp_path, path, ":mean=0,std=0.003921569,channels=bgr").compared(ignore_progress)


def test_a_crash_costs_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path / "people")
    pairs = open_source(f"folder:{place}", size=SIZE)
    file = pairs.train.files[3][0]  # type: ignore[attr-defined]
    with Image.open(file) as opened:
        image = np.array(opened)
    image[0, 0] = 255
    Image.fromarray(image).save(file)
    pairs = open_source(f"folder:{place}", size=SIZE)
    runtime = replace(nets._RUNTIMES[".onnx"], name="tests.search.teachers.crashing:CrashingRuntime")
    monkeypatch.setitem(nets._RUNTIMES, ".onnx", runtime)  # type: ignore[arg-type]
    given = ":mean=0,std=1,channels=rgb"
    mine = brought(pairs, tmp_path, teacher(tmp_path / "net.onnx"), given)
    # The few pictures on which the net is tried are others.
    monkeypatch.setattr("search.teachers.guess._PICTURES", 2)
    stored = mine.teaching(None, ignore_progress).stored
    assert stored is not None
    assert stored.labelled.known.tolist() == [index != 3 for index in range(len(pairs.train))]
    assert stored.labelled.batch([3]).abs().max() == 0


def test_a_teacher_that_always_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = source(tmp_path / "people")
    mine = brought(pairs, tmp_path, teacher(tmp_path / "net.onnx"))
    mine.compared(ignore_progress)
    monkeypatch.setattr(mine.net, "run", _fail)
    with pytest.raises(UserError, match="got killed, on each of the first 5 pictures"):
        mine.teaching(None, ignore_progress)


def _fail(_: object) -> None:
    raise nets.ModelFailedError("killed")


def test_photographs_that_are_in_the_data_are_left_out(pairs: DataSource, tmp_path: Path) -> None:
    more = photographs(tmp_path / "more", 2)
    copy = next((tmp_path / "people" / "images").iterdir())
    (more / "copy.png").write_bytes(copy.read_bytes())
    (more / "notes.txt").write_text("no picture")
    found, notes = open_unlabelled(more, pairs)
    assert [file.name for file in found.files] == ["more0.png", "more1.png"]
    assert [note.split(" ", 1)[0] for note in notes] == ["1", "1"]
    image, mask = found[0]
    assert torch.equal((255 * image).round().byte(), torch.from_numpy(picture(1000)[0]).permute(2, 0, 1))
    assert (mask == 255).all()
    with pytest.raises(UserError, match="expected at least one that is not in the data"):
        open_unlabelled(tmp_path / "people" / "images", pairs)
    with pytest.raises(UserError, match="got no folder"):
        open_unlabelled(tmp_path / "missing", pairs)
