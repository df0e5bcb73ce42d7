import os
import subprocess
import sys
from pathlib import Path

import pytest

from devices.backends.web.installation import WebPackages
from devices.doctor import diagnose
from devices.registry import COMPILED_TARGETS, DEVICES


def test_lists_every_device_and_a_fix_for_every_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr("devices.hardware.load_average", lambda: 50.0)
    monkeypatch.setattr("devices.hardware.core_count", lambda: 1)
    monkeypatch.setattr("devices.hardware.frequency_governor", lambda: "powersave")
    monkeypatch.setattr("devices.hardware.is_virtual", lambda: True)
    diagnosis = diagnose()
    assert [device.name for device in diagnosis.devices] == [*DEVICES.names, *COMPILED_TARGETS.names]
    warned = " ".join(warning.what for warning in diagnosis.warnings)
    for word in ("OMP_NUM_THREADS=7", "load average 50.0", "one core", "powersave", "virtual machine"):
        assert word in warned
    assert all(warning.fix for warning in diagnosis.warnings)


def test_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.device.find_spec", lambda name: None if name == "openvino" else True)
    diagnosis = diagnose()
    (status,) = [device for device in diagnosis.devices if device.name == "openvino"]
    assert not status.available
    assert 'pip install "latseg[openvino]"' in status.reason
    assert not any("openvino" in warning.what for warning in diagnosis.warnings), "it is said once"


@pytest.mark.parametrize(("start", "reason"), [("#!/bin/sh\nexec sleep 60\n", "timed out"), ("", "Exec format")])
def test_a_browser_that_does_not_tell_its_version_is_not_available(
    start: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chromium").write_text(start)
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(WebPackages, "is_installed", lambda _: True)
    monkeypatch.setattr("devices.backends.web.browser._VERSION_S", 0.2)
    (status,) = [device for device in diagnose().devices if device.name == "web"]
    assert not status.available
    assert reason in status.reason
    assert status.reason.endswith(f"make `{tmp_path / 'chromium'} --version` work first")


def test_says_what_can_be_measured() -> None:
    kinds = {device.name: device.kind for device in diagnose().devices}
    assert (kinds["cpu"], kinds["qnn"], kinds["simulated"]) == ("measured", "compiled", "simulated")


def test_diagnosing_loads_no_runtime() -> None:
    code = (
        "import sys; from devices.doctor import diagnose; diagnose();"
        "sys.exit(any(name in sys.modules for name in ('onnxruntime', 'openvino', 'torch', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
