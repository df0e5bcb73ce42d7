from pathlib import Path

import numpy as np
import onnx
import onnx.parser
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

    def test_an_input_that_is_cast_first_keeps_its_name(self, device: Device, tmp_path: Path) -> None:
        """As in models of half precision; OpenVINO gives such an input the names of both tensors."""
        text = (
            '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 3, 8, 8] picture) => (float[1, 3, 8, 8] y) '
            "{ half = Cast<to=10>(picture) r = Relu(half) y = Cast<to=1>(r) }"
        )
        onnx.save(onnx.parser.parse_model(text), tmp_path / "half.onnx")
        (output,) = device.infer(tmp_path / "half.onnx", {"picture": np.ones((1, 3, 8, 8), np.float32)})
        assert output.min() == output.max() == 1


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
