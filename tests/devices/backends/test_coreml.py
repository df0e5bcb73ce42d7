"""The target ``coreml``: what Apple's converter takes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from devices.backends.coreml.target import CoreMlTarget
from devices.device import Candidate
from devices.support import Verdict
from latency.model_support import model_support
from latseg.testing.nets import mobile_net, saved
from tests.latency.test_model_support import chain

pytestmark = [
    pytest.mark.targets,
    pytest.mark.skipif(not CoreMlTarget().availability().available, reason="needs `latseg install coreml`"),
]


def test_a_net_becomes_an_ml_program(tmp_path: Path) -> None:
    target, path = CoreMlTarget(), saved(mobile_net(), tmp_path / "net.onnx")
    found = model_support(target, Candidate("net", path))
    assert found.verdict is Verdict.SUPPORTED, found.reason
    assert {row.unit for row in found.operators} == {""}
    assert found.comparison is None


def test_the_program_is_a_package(tmp_path: Path) -> None:
    path = saved(chain("Relu", "Sin"), tmp_path / "net.onnx")
    CoreMlTarget().compile(path, {"x": np.zeros((1, 3, 8, 8), np.float32)}, tmp_path / "package.zip")
    with zipfile.ZipFile(tmp_path / "package.zip") as package:
        assert "model.mlpackage/Data/com.apple.CoreML/model.mlmodel" in package.namelist()


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    found = model_support(CoreMlTarget(), Candidate("net", saved(chain("Relu", "Det"), tmp_path / "net.onnx")))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "Det" in found.reason
    assert [row.verdict for row in found.operators] == [Verdict.SUPPORTED, Verdict.UNSUPPORTED]
