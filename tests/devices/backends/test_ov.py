import pytest

from devices.backends.ov.device import OpenVinoDevice
from devices.device import Candidate, Device
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST, RuntimeContract


@pytest.mark.skipif(not OpenVinoDevice().availability().available, reason="openvino is not installed")
class TestOpenVino(RuntimeContract):
    runtime_modules = ("openvino", "onnx", "torch")
    construct = "from devices.registry import get_device; get_device('openvino').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return OpenVinoDevice()


def test_absent_runtime_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.device.find_spec", lambda _: None)
    device = OpenVinoDevice()
    assert not device.availability().available
    assert device.availability().remedy == 'pip install "latseg[openvino]"'
    with pytest.raises(DeviceUnavailableError, match="latseg") as error:
        device.info()
    assert error.value.exit_code == 5
    with pytest.raises(DeviceUnavailableError):
        device.measure([Candidate("x", None)], nominal_reference_ms=1.0, protocol=FAST)  # type: ignore[arg-type]
