"""The target ``tensorrt-rtx``: engines that are built without a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices.backends.tensorrt_rtx.target import TensorRtRtxTarget
from devices.device import Candidate
from devices.support import Verdict
from foundation.errors import UserError
from latency.model_support import model_support
from latseg.testing.nets import mobile_net, raw_model, saved
from tests.latency.test_model_support import chain

pytestmark = [
    pytest.mark.targets,
    pytest.mark.skipif(not TensorRtRtxTarget().availability().available, reason="needs `latseg install tensorrt-rtx`"),
]


@pytest.fixture(scope="module")
def target() -> TensorRtRtxTarget:
    return TensorRtRtxTarget()


def test_a_net_becomes_an_engine(target: TensorRtRtxTarget, tmp_path: Path) -> None:
    found = model_support(target, Candidate("net", saved(mobile_net(), tmp_path / "net.onnx")))
    assert found.verdict is Verdict.SUPPORTED, found.reason
    assert {row.unit for row in found.operators} == {"gpu"}
    assert found.comparison is None


def test_dynamic_inputs_are_built_for_the_sizes_that_are_given(target: TensorRtRtxTarget, tmp_path: Path) -> None:
    path = saved(chain("Relu", "Sin", reads="float[1, 3, h, w]"), tmp_path / "net.onnx")
    engine = tmp_path / "engine"
    assert target.compile(path, {"x": np.zeros((1, 3, 16, 24), np.float32)}, engine) == ("gpu", "gpu")
    assert engine.stat().st_size > 1000


def test_an_operator_that_the_parser_lacks_is_named(target: TensorRtRtxTarget, tmp_path: Path) -> None:
    found = model_support(target, Candidate("net", saved(chain("Relu", "Det"), tmp_path / "net.onnx")))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "Det the_det" in found.reason
    assert [row.verdict for row in found.operators] == [Verdict.SUPPORTED, Verdict.UNSUPPORTED]


def test_an_engine_runs_on_no_processor(target: TensorRtRtxTarget, tmp_path: Path) -> None:
    path = saved(raw_model("Relu"), tmp_path / "net.onnx")
    with pytest.raises(UserError, match="runs on a GPU only"):
        target.emulate(path, {"image": np.zeros((1, 3, 8, 8), np.float32)})
