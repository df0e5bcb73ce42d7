"""The format ``qnn``: quantised, compiled for the NPU, and compared in the emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from devices.backends.qnn.target import QnnTarget
from devices.registry import get_device
from devices.target import RunningTarget
from export.bundle.manifest import Manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from export.registry import get_exporters
from export.runner import runner_of
from foundation.errors import DeviceUnavailableError, UserError
from latseg.testing import exporter_contract

Make = Callable[..., Manifest]


def test_without_the_compiler_nothing_is_written(
    make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"qnn is not installed.*latseg install qnn"):
        make_bundle(formats=["qnn"], certificates=())
    assert not (tmp_path / "bundle").exists()


def test_what_runs_a_file() -> None:
    assert runner_of("cpu", get_device).name == "cpu"
    emulator = runner_of("qnn", get_device)
    assert isinstance(emulator, RunningTarget)
    assert emulator.name == "qnn emulator"
    with pytest.raises(DeviceUnavailableError, match="without an emulator"):
        runner_of("tensorrt-rtx", get_device)


@pytest.mark.targets
@pytest.mark.skipif(not QnnTarget().availability().available, reason="needs `latseg install qnn`")
class TestInstalled:
    def test_a_bundle_is_run_in_the_emulator(self, make_bundle: Make, tmp_path: Path) -> None:
        entry = make_bundle(formats=["qnn"], get_device=get_device, certificates=()).file("qnn")
        assert (entry.executed, entry.precision, entry.compute_units) == (True, "w8a16", ("npu",))
        assert "emulator, not on the hardware" in entry.note
        assert entry.parity_mask_iou is not None
        assert entry.parity_mask_iou >= 0.99
        kinds = {node.op_type for node in onnx.load(tmp_path / "bundle" / "model.qnn.context.onnx").graph.node}
        assert kinds == {"EPContext"}
        parities = [c for c in verify_bundle(tmp_path / "bundle", measure=False).checks if "qnn" in c.name]
        assert parities
        assert all(check.ok for check in parities), parities
        assert Segmenter(tmp_path / "bundle", file_format="qnn")

    def test_a_file_of_another_network_has_no_parity(self, tmp_path: Path) -> None:
        suite = exporter_contract.ExporterContract()
        (exporter,) = get_exporters(["qnn"])[1:]
        suite.test_the_file_computes_what_torch_computes(exporter, runner_of("qnn", get_device), tmp_path)

    def test_other_networks_are_refused(self, tmp_path: Path) -> None:
        suite = exporter_contract.ExporterContract()
        (exporter,) = get_exporters(["qnn"])[1:]
        suite.test_a_network_that_does_not_segment(exporter, runner_of("qnn", get_device), tmp_path)
