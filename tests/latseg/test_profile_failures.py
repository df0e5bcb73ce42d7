"""``profile`` tells what it could not measure, on the screen and in its document."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from latseg.cli import run

MODEL = """<ir_version: 8, opset_import: ["" : 18]> g (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
{ odd = Mish (x) y = Relu (odd) }"""
"""Operators are written alone in opset 17, which has no Mish."""


def test_operators_that_cannot_be_measured_alone_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.onnx"
    onnx.save(onnx.parser.parse_model(MODEL), path)
    words = ["--workspace", str(tmp_path / "w"), "--quiet", "profile", "-d", "simulated", "--for", str(path)]
    assert run(words) == 0
    printed = capsys.readouterr().out
    assert "Not measured" in printed
    assert "Mish 1x3x8x8 to 1x3x8x8: " in printed
    assert run(["--json", *words]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [failure["what"] for failure in document["failures"]] == ["Mish 1x3x8x8 to 1x3x8x8"]
    assert (document["failed"], document["operators"]) == (1, 1)


def test_nothing_is_said_where_all_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--workspace", str(tmp_path), "--quiet", "profile", "-d", "simulated", "--models", "2"]) == 0
    assert "Not measured" not in capsys.readouterr().out
