"""Teachers as TFLite files."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UserError
from foundation.progress import ignore_progress
from search.options import TrainingOptions
from search.teachers.brought import BroughtTeacher
from search.teachers.resolve import resolved
from tests.search.teachers.people import source
from tests.search.teachers.tflite_net import tflite_teacher


def test_a_tflite_teacher_is_asked_like_an_onnx_one(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    path = tflite_teacher(tmp_path / "net.tflite")
    pairs = source(tmp_path / "people")
    mine = BroughtTeacher(str(path), pairs, tmp_path / "run", 1)
    record = mine.compared(ignore_progress)
    assert record.mean_iou > 0.99
    assert (
        "size=32x32,layout=nhwc,channels=rgb,mean=0/0/0,std=1/1/1,output=0,values=probabilities" in record.description
    )
    stored = mine.teaching(None, ignore_progress).stored
    assert stored is not None
    assert stored.labelled.known.all()


def test_a_damaged_tflite_file_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "net.tflite"
    path.write_bytes(b"no net")
    with pytest.raises(UserError, match="expected a net that its runtime loads"):
        BroughtTeacher(str(path), source(tmp_path / "people"), tmp_path, 1).compared(ignore_progress)


def test_without_the_runtime_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.teachers.net.find_spec", lambda _: None)
    (tmp_path / "net.tflite").touch()
    for teacher in (str(tmp_path / "net.tflite"), "selfie"):
        with pytest.raises(UserError, match=r'no package ai_edge_litert; .* pip install "latseg\[litert\]"'):
            resolved(TrainingOptions(teacher=teacher))
