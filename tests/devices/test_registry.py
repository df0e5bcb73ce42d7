import subprocess
import sys

import pytest

from devices.doctor import diagnose
from devices.registry import DEVICES, get_device
from foundation.errors import UserError


def test_every_name_gives_a_device_of_that_name() -> None:
    assert [get_device(name).name for name in DEVICES.names] == list(DEVICES.names)


def test_settings_of_the_simulated_device_are_part_of_its_name_and_fingerprint() -> None:
    first = get_device("simulated:seed=3,noise=0.05")
    assert first.name == "simulated:noise=0.05,seed=3"
    assert first.info().fingerprint == get_device(first.name).info().fingerprint
    assert first.info().fingerprint != get_device("simulated").info().fingerprint


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "",
        "cpu:noise=1",
        "simulated:noise",
        "simulated:noise=x",
        "simulated:noise=-1",
        "simulated:drift=11",
        "simulated:colour=1",
        "simulated:seed=-1",
    ],
)
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"device.*got"):
        get_device(name)


@pytest.mark.parametrize("name", ["cpu", "openvino"])
def test_threads_are_an_option_and_an_argument(name: str) -> None:
    for text in (f"{name}:threads=0", f"{name}:threads=x"):
        with pytest.raises(UserError, match="threads"):
            get_device(text)
    with pytest.raises(UserError, match="threads"):
        get_device(name, threads=0)
    assert get_device(name).info().threads == get_device(name, threads=None).info().threads == 1
    assert get_device(name, threads=2).info() == get_device(f"{name}:threads=2").info()
    assert get_device(f"{name}:threads=2", threads=3).info().threads == 2


def test_devices_without_threads_ignore_the_argument() -> None:
    assert get_device("simulated:seed=3", threads=4).info() == get_device("simulated:seed=3").info()


def test_large_seeds_keep_all_their_digits() -> None:
    device = get_device("simulated:seed=12345678")
    assert device.name == "simulated:seed=12345678"
    assert get_device(device.name).info() == device.info()


def test_doctor_lists_every_device_and_a_fix_for_every_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr("devices.hardware.load_average", lambda: 50.0)
    monkeypatch.setattr("devices.hardware.core_count", lambda: 1)
    monkeypatch.setattr("devices.hardware.frequency_governor", lambda: "powersave")
    monkeypatch.setattr("devices.hardware.is_virtual", lambda: True)
    diagnosis = diagnose()
    assert [device.name for device in diagnosis.devices] == list(DEVICES.names)
    warned = " ".join(warning.what for warning in diagnosis.warnings)
    for word in ("OMP_NUM_THREADS=7", "load average 50.0", "one core", "powersave", "virtual machine"):
        assert word in warned
    assert all(warning.fix for warning in diagnosis.warnings)


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.device.find_spec", lambda name: None if name == "openvino" else True)
    diagnosis = diagnose()
    (status,) = [device for device in diagnosis.devices if device.name == "openvino"]
    assert not status.available
    assert 'pip install "latseg[openvino]"' in status.reason
    assert any("openvino" in warning.what and "pip install" in warning.fix for warning in diagnosis.warnings)


def test_diagnosing_loads_no_runtime() -> None:
    code = (
        "import sys; from devices.doctor import diagnose; diagnose();"
        "sys.exit(any(name in sys.modules for name in ('onnxruntime', 'openvino', 'torch', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
