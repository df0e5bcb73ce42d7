"""Arm builds of the runtimes in an emulator, behind a real ``sshd``: their outputs count, and nothing is timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.backends.aarch64.installation import Aarch64Userland
from devices.backends.ort.device import CpuDevice
from devices.device import Candidate
from devices.registry import get_device
from devices.support import Verdict
from foundation.errors import DeviceUnavailableError
from latency.model_support import model_support
from latseg.testing.device_contract import FAST
from latseg.testing.nets import mobile_net, saved
from tests.devices.ssh.sshd import Sshd, running_sshd

pytestmark = pytest.mark.targets


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    userland = Aarch64Userland()
    if not userland.is_installed():
        pytest.skip(userland.remedy)
    start = f'#!/bin/sh\nexec {userland.python} "$@"\n'
    with running_sshd(tmp_path_factory.mktemp("sshd"), start) as made:
        yield made


@pytest.mark.parametrize("name", ["cpu", "mnn", "ncnn"])
def test_outputs_are_those_of_this_machine(emulated: Sshd, tmp_path: Path, name: str) -> None:
    path = saved(mobile_net(), tmp_path / "mobile.onnx")
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    (expected,) = CpuDevice().infer(path, {"image": image})
    device = get_device(f"ssh://127.0.0.1/{name}")
    (found,) = device.infer(path, {"image": image})
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.any(found != expected), "the same bits: these are the kernels of this machine"


def test_a_model_is_checked_and_never_measured(emulated: Sshd, tmp_path: Path) -> None:
    candidate = Candidate("mobile", saved(mobile_net(), tmp_path / "mobile.onnx"))
    device = get_device("ssh://127.0.0.1/cpu")
    assert device.info().hardware.startswith("aarch64 (")
    assert device.info().hardware.endswith("cores), emulated by qemu-aarch64")
    assert model_support(device, candidate).verdict is Verdict.SUPPORTED
    with pytest.raises(DeviceUnavailableError, match=r"emulated by qemu-aarch64; expected .* times mean something"):
        device.measure([candidate], nominal_reference_ms=1.0, protocol=FAST)
    with pytest.raises(DeviceUnavailableError, match="emulated"):
        device.nominal_reference_ms()
