from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnx.parser
import pytest

from devices.backends.ov.calls import BFLOAT16, FLOAT32, compile_model, settings
from devices.backends.ov.device import OpenVinoBf16Device, OpenVinoDevice
from devices.device import Candidate, Device
from devices.reference_net import REFERENCE_NET
from devices.worker.runtime import ModelFailedError
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST, RuntimeContract
from latseg.testing.nets import mobile_net, saved


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


@pytest.mark.skipif(not OpenVinoBf16Device().availability().available, reason="no openvino or no bfloat16")
class TestOpenVinoBf16(RuntimeContract):
    runtime_modules = ("openvino", "onnx", "torch")
    construct = "from devices.registry import get_device; get_device('openvino-bf16').availability()"
    tolerance = 0.1

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return OpenVinoBf16Device()

    def test_it_is_another_precision(self, device: Device, tmp_path: Path) -> None:
        path = saved(mobile_net(), tmp_path / "mobile.onnx")
        image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
        half, full = (each.infer(path, {"image": image})[0] for each in (device, OpenVinoDevice()))
        assert np.abs(half.astype(np.float64) - full).max() > 1e-4
        assert device.info().differences(OpenVinoDevice().info()) == ("name", "precision")


def test_a_processor_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.hardware.cpu_flags", lambda: frozenset({"avx512f"}))
    status = OpenVinoBf16Device().availability()
    assert (status.available, status.remedy) == (False, "use openvino, which takes float32")


@pytest.mark.skipif(not OpenVinoBf16Device().availability().available, reason="no openvino or no bfloat16")
def test_another_precision_than_the_wanted_one_is_no_measurement() -> None:
    """OpenVINO takes bfloat16 for half precision on a processor without half precision, without a word."""
    try:
        compiled = compile_model(str(REFERENCE_NET), {}, settings(1, "f16"))
        told = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    except ModelFailedError as error:
        told = str(error)
    assert told == "f16" or "bf16 instead of f16" in told, "the wanted one where the processor has it, or a failure"


@pytest.mark.skipif(not OpenVinoDevice().availability().available, reason="openvino is not installed")
def test_the_precision_of_the_compiled_model_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    compiled = SimpleNamespace(get_property=lambda name: {"INFERENCE_PRECISION_HINT": openvino.Type.bf16}[name])
    monkeypatch.setattr(openvino.Core, "compile_model", lambda *_: compiled)
    assert compile_model(str(REFERENCE_NET), {}, settings(1, BFLOAT16)) is compiled
    with pytest.raises(ModelFailedError, match="bf16 instead of f32"):
        compile_model(str(REFERENCE_NET), {}, settings(1, FLOAT32))


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
