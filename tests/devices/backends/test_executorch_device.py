"""ExecuTorch, as ``latseg install executorch`` brings it."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest

from devices.backends.executorch.device import ExecuTorchDevice
from devices.device import Device
from devices.measurement import Measurement
from foundation.errors import UserError
from latency.operators.synthesize import to_model
from latseg.testing.device_contract import RuntimeContract
from latseg.testing.nets import saved, small_net
from search.spaces.registry import open_space
from tests.devices.backends.agreement import Feeds, check_agreement, image, parsed, resize

pytestmark = [
    pytest.mark.targets,
    pytest.mark.skipif(not ExecuTorchDevice().availability().available, reason="ExecuTorch is not installed"),
]


class TestExecuTorch(RuntimeContract):
    runtime_modules = ("executorch", "onnx", "torch")
    construct = "from devices.registry import get_device; get_device('executorch').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return ExecuTorchDevice()

    @pytest.mark.parametrize(
        ("mode", "rule"),
        [("linear", "half_pixel"), ("linear", "align_corners"), ("linear", "asymmetric"), ("cubic", "half_pixel")],
    )
    def test_resizes_by_every_convention(self, device: Device, tmp_path: Path, mode: str, rule: str) -> None:
        check_agreement(device, resize(tmp_path / "r.onnx", mode, rule), {"x": image(1, 5, 7, 6)})

    def test_a_resize_that_torch_lacks_is_named(self, device: Device, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="Resize with half_pixel and floor to"):
            device.convert(resize(tmp_path / "r.onnx", "nearest", "half_pixel", ', nearest_mode = "floor"'))

    @pytest.mark.parametrize("size", [(128, 128), (160, 128)])
    def test_nets_of_the_search(self, device: Device, tmp_path: Path, size: tuple[int, int]) -> None:
        space = open_space("portrait", sizes=[size])
        graph = space.lower(space.sample(1, Random(3))[0])
        path = saved(to_model(graph), tmp_path / "net.onnx")
        check_agreement(device, path, {onnx.load(path).graph.input[0].name: image(*graph.input_shapes[0])})

    def test_inputs_and_outputs_keep_their_order(self, device: Device, tmp_path: Path) -> None:
        """Also for operators that XNNPACK does not take."""
        path = parsed(
            "(float[1, 5, 8, 6] x, int64[6] k) => (int64[1, 8, 6] mask, int64[6] n, float[1, 5, 8, 6] e) "
            "{ mask = ArgMax<axis = 1, keepdims = 0>(x) n = Mul(k, k) e = Erf(x) }",
            tmp_path / "three.onnx",
        )
        check_agreement(device, path, {"x": image(1, 5, 8, 6), "k": np.arange(6)})

    def test_a_compiled_file_runs_without_the_onnx_file(self, device: Device, tmp_path: Path) -> None:
        onnx_path = saved(small_net(), tmp_path / "small.onnx")
        compiled = device.convert(onnx_path)
        path = Path(shutil.copy(compiled, tmp_path / "small.pte"))
        shutil.copy(compiled.with_suffix(".json"), path.with_suffix(".json"))
        feeds: Feeds = {"image": image(1, 3, 32, 32)}
        assert np.array_equal(ExecuTorchDevice().infer(path, feeds)[0], device.infer(onnx_path, feeds)[0])
        path.with_suffix(".json").write_text("{}")
        path.touch()
        with pytest.raises(UserError, match=r"small.json does not describe a compiled net"):
            ExecuTorchDevice().infer(path, feeds)

    def test_rows_are_those_of_the_net(self, measured: dict[str, Measurement]) -> None:
        rows = {row.outputs[-1]: row for row in measured["mobile"].operators}
        assert rows["relu_3"].kernel.startswith("Fully Connected")  # with what was fused behind it
        assert rows["concat_42"].inputs == ("resize_41", "add_12")
        assert rows["relu_44"].inputs == ("concat_42",)
        assert rows["logits"].inputs == ("conv_47",)
        assert measured["mobile"].profiler == "ExecuTorch ETDump"
