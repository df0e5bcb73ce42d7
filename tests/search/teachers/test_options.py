"""How a teacher is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundation.errors import UserError
from search.options import TrainingOptions
from search.teachers.net import TeacherNet
from search.teachers.options import read_teacher
from search.teachers.resolve import resolved
from tests.search.teachers.people import teacher

_EVERYTHING = {
    "size": "64x96",
    "layout": "nhwc",
    "channels": "bgr",
    "mean": "0.5/0.25/0",
    "std": "0.5",
    "output": "1",
    "values": "logits",
    "person": "1-3/7",
}


def test_keys_behind_the_file() -> None:
    options = read_teacher("/nets/a.onnx:" + ",".join(f"{key}={value}" for key, value in _EVERYTHING.items()))
    assert (options.file, options.size, options.layout, options.channels) == ("/nets/a.onnx", (64, 96), "nhwc", "bgr")
    assert (options.mean, options.std) == ((0.5, 0.25, 0.0), (0.5, 0.5, 0.5))
    assert (options.output, options.values, options.person) == (1, "logits", (1, 2, 3, 7))
    assert read_teacher(options.text) == options


def test_a_json_file_says_the_same(tmp_path: Path) -> None:
    document = {"file": "nets/a.onnx", "size": [64, 96], "mean": [0.5, 0.25, 0], "std": 0.5, "person": [1, 2, 3, 7]}
    path = tmp_path / "teacher.json"
    path.write_text(json.dumps(document))
    options = read_teacher(f"{path}:output=1")
    written = "size=64x96,mean=0.5/0.25/0,std=0.5,output=1,person=1-3/7"
    assert options == read_teacher(f"{tmp_path}/nets/a.onnx:{written}")


def test_a_file_may_be_named_like_options(tmp_path: Path) -> None:
    path = tmp_path / "a:b=c.onnx"
    path.touch()
    assert read_teacher(str(path)).file == str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.onnx:colour=red", "got the key 'colour'; expected one of size, layout"),
        ("a.onnx:size=64", "a.onnx, size: got .64.; expected Value error, HEIGHTxWIDTH"),
        ("a.onnx:size=0x64", "greater than or equal to 1"),
        ("a.onnx:std=0", "greater than 0"),
        ("a.onnx:mean=nan", "finite"),
        ("a.onnx:values=labels", "'logits', 'probabilities' or 'classes'"),
        ("a.onnx:person=1-99999999", "unable to parse"),
        ("a.onnx:person=x=1,y", "expected KEY=VALUE"),
        ("missing.json", "No such file"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_teacher(text)


def test_paths_are_absolute_and_checked_before_a_run_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    teacher(tmp_path / "a.onnx")
    training = resolved(TrainingOptions(teacher="a.onnx:person=1", unlabelled="more"))
    assert training.teacher == f"{tmp_path}/a.onnx:person=1"
    assert training.unlabelled == f"{tmp_path}/more"
    assert resolved(TrainingOptions(unlabelled="more", teacher_epochs=1)).unlabelled == f"{tmp_path}/more"
    with pytest.raises(UserError, match="got no file"):
        resolved(TrainingOptions(teacher="b.onnx"))
    with pytest.raises(UserError, match="got no teacher that could label them"):
        resolved(TrainingOptions(unlabelled="more"))
    (tmp_path / "a.pt").touch()
    with pytest.raises(UserError, match=r"expected a file that ends in \.onnx"):
        TeacherNet(tmp_path / "a.pt", 1)
