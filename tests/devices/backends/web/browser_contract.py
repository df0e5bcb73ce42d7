"""What every device whose runtime lives in a browser must do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from latseg.testing.device_contract import FAST, NOMINAL_MS, RuntimeContract
from latseg.testing.nets import saved, small_net
from tests.devices.backends.web.endless_net import endless_net


class BrowserContract(RuntimeContract):
    """That of a device behind a runtime, and that a browser which hangs costs one measurement."""

    runtime_modules = ("onnxruntime", "http.server")

    def test_a_model_that_never_ends_costs_itself_only(self, device: Device, tmp_path: Path) -> None:
        endless = saved(endless_net(), tmp_path / "endless.onnx")
        good = saved(small_net(), tmp_path / "small.onnx")
        protocol = replace(FAST, timeout_s=8.0, profile_runs=0)
        candidates = [Candidate("endless", endless), Candidate("good", good)]
        first, second = device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=protocol)
        assert isinstance(first, FailedMeasurement)
        assert "hung" in first.reason
        assert isinstance(second, Measurement)
