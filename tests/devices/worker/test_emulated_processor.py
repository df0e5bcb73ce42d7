"""Nothing is timed by a device of this machine where its processor is emulated."""

from pathlib import Path

import numpy as np
import pytest

from devices import hardware
from devices.backends.ort.device import CpuDevice
from devices.device import Candidate
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST
from latseg.testing.nets import saved, small_net


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> CpuDevice:
    monkeypatch.setattr(hardware, "emulator", lambda: "qemu-riscv64")
    return CpuDevice()


def test_it_is_not_measured_and_says_why(device: CpuDevice, tmp_path: Path) -> None:
    candidate = Candidate("net", saved(small_net(), tmp_path / "net.onnx"))
    with pytest.raises(DeviceUnavailableError, match=r"emulated by qemu-riscv64; expected .* times mean something"):
        device.measure([candidate], nominal_reference_ms=1.0, protocol=FAST)
    assert device.footprint(candidate.path, {"image": np.zeros((1, 3, 32, 32), np.float32)}) is None


def test_its_fingerprint_is_not_that_of_the_processor(device: CpuDevice) -> None:
    assert device.info().hardware == f"{hardware.cpu_name()}, emulated by qemu-riscv64"
