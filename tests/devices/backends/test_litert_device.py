"""LiteRT with its converter, as ``latseg install litert`` brings it."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np
import onnx
import onnx.parser
import pytest

from devices.backends.litert.device import LiteRtDevice
from devices.backends.litert.installation import LiteRtConverter
from devices.device import Device
from devices.measurement import Measurement
from foundation.errors import UserError
from latseg.testing.device_contract import RuntimeContract
from latseg.testing.nets import saved, small_net
from search.spaces.registry import open_space
from tests.devices.backends.agreement import Feeds, check_agreement, check_net_and_operators, image, parsed, resize
from tests.devices.backends.test_telemetry import INFER, run

pytestmark = [
    pytest.mark.targets,
    pytest.mark.skipif(not LiteRtDevice().availability().available, reason="LiteRT or its converter is not installed"),
]


class TestLiteRt(RuntimeContract):
    runtime_modules = ("ai_edge_litert", "flatbuffers", "onnx", "torch")
    construct = "from devices.registry import get_device; get_device('litert').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return LiteRtDevice()

    @pytest.mark.parametrize("mode", ["linear", "cubic"])
    @pytest.mark.parametrize("rule", ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
    @pytest.mark.parametrize("sides", ["14, 9", "3, 4"])
    def test_resizes_by_every_convention(
        self, device: Device, tmp_path: Path, mode: str, rule: str, sides: str
    ) -> None:
        check_agreement(device, resize(tmp_path / "r.onnx", mode, rule, sides=sides), {"x": image(1, 5, 7, 6)})

    @pytest.mark.parametrize(("rule", "rounding"), [("asymmetric", "floor"), ("half_pixel", "round_prefer_ceil")])
    def test_nearest_pixels(self, device: Device, tmp_path: Path, rule: str, rounding: str) -> None:
        path = resize(tmp_path / "r.onnx", "nearest", rule, f', nearest_mode = "{rounding}"')
        check_agreement(device, path, {"x": image(1, 5, 7, 6)})

    @pytest.mark.parametrize(
        ("mode", "rule", "more", "sides", "opset", "reason"),
        [
            ("nearest", "half_pixel", ', nearest_mode = "floor"', "14, 12", 17, "another net"),
            ("nearest", "half_pixel", ', nearest_mode = "round_prefer_floor"', "14, 9", 17, "another net"),
            ("nearest", "asymmetric", ', nearest_mode = "round_prefer_floor"', "14, 9", 17, "another net"),
            ("linear", "half_pixel", ", antialias = 1", "3, 4", 18, "another net"),
            ("nearest", "align_corners", "", "14, 12", 17, "ONNX_RESIZE"),
            ("linear", "half_pixel_symmetric", "", "14, 12", 19, "ONNX_RESIZE"),
        ],
    )
    def test_a_resize_that_comes_out_as_another_one_is_refused(
        self, device: Device, tmp_path: Path, mode: str, rule: str, more: str, sides: str, opset: int, reason: str
    ) -> None:
        """Most of them without a word of the converter."""
        with pytest.raises(UserError, match=reason):
            device.convert(resize(tmp_path / "r.onnx", mode, rule, more, sides, opset))

    @pytest.mark.parametrize("size", [(128, 128), (160, 128)])
    def test_nets_of_the_search_and_their_operators(
        self, device: Device, tmp_path: Path, size: tuple[int, int]
    ) -> None:
        space = open_space("portrait", sizes=[size])
        graph = space.lower(space.sample(1, Random(3))[0])
        check_net_and_operators(device, graph, tmp_path)

    def test_several_outputs_keep_their_order_and_shapes(self, device: Device, tmp_path: Path) -> None:
        body = "(float[1, 2, 3, 4] x) => (float[1, 2, 3, 4] z, float s, float[1, 2, 3, 4] a) {"
        body += "a = Relu(x) z = Neg(a) s = ReduceSum<keepdims = 0>(x) }"
        check_agreement(device, parsed(body, tmp_path / "three.onnx"), {"x": image(1, 2, 3, 4)})

    def test_whole_numbers_come_out_as_they_are(self, device: Device, tmp_path: Path) -> None:
        path = parsed(
            "(float[1, 5, 8, 6] x, int64[6] k) => (int64[1, 8, 6] mask, int64[6] n, bool[6] b) "
            "{ mask = ArgMax<axis = 1, keepdims = 0>(x) n = Mul(k, k) b = Equal(n, k) }",
            tmp_path / "mask.onnx",
        )
        check_agreement(device, path, {"x": image(1, 5, 8, 6), "k": np.arange(6)})

    def test_scalars_bytes_and_inputs_that_nothing_reads(self, device: Device, tmp_path: Path) -> None:
        feeds: Feeds = {"x": image(1, 3, 8, 8), "k": np.array(2.5, np.float32)}
        head = "(float[1, 3, 8, 8] x, float k) => (float[1, 3, 8, 8] y)"
        check_agreement(device, parsed(f"{head} {{ y = Mul(x, k) }}", tmp_path / "k.onnx"), feeds)
        check_agreement(device, parsed(f"{head} {{ y = Relu(x) }}", tmp_path / "unread.onnx"), feeds)
        path = parsed("(uint8[1, 2, 3, 4] x) => (float[1, 2, 3, 4] y) { y = Cast<to = 1>(x) }", tmp_path / "u8.onnx")
        check_agreement(device, path, {"x": np.arange(232, 256, dtype=np.uint8).reshape(1, 2, 3, 4)})

    def test_nan_stays_nan(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y) { y = Log(x) }", tmp_path / "log.onnx")
        (seen,) = device.infer(path, {"x": np.full((1, 3, 8, 8), -1, np.float32)})
        assert np.isnan(seen).all()

    def test_a_shape_that_depends_on_values_is_that_of_the_conversion(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(float[1, 3, 8, 8] x) => (int64[4, n] y) { y = NonZero(x) }", tmp_path / "nonzero.onnx")
        check_agreement(device, path, {"x": image(1, 3, 8, 8)})
        with pytest.raises(UserError, match="'y' is 4 x 0; for the input at conversion it was 4 x 192"):
            device.infer(path, {"x": np.zeros((1, 3, 8, 8), np.float32)})

    def test_a_converted_file_runs_without_the_onnx_file(self, device: Device, tmp_path: Path) -> None:
        onnx_path = saved(small_net(), tmp_path / "small.onnx")
        path = Path(shutil.copy(device.convert(onnx_path), tmp_path / "small.tflite"))
        feeds: Feeds = {"image": image(1, 3, 32, 32)}
        assert np.array_equal(LiteRtDevice().infer(path, feeds)[0], device.infer(onnx_path, feeds)[0])
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(UserError, match=f"model {path}"):
            device.infer(path, feeds)
        path.unlink()
        with pytest.raises(UserError, match=f"model {path}: got No such file.*expected a file that export wrote"):
            device.infer(path, feeds)

    def test_the_file_does_not_allow_half_precision(self, device: Device, tmp_path: Path) -> None:
        """onnx2tf writes that XNNPACK may compute in it."""
        content = device.convert(saved(small_net(), tmp_path / "small.onnx")).read_bytes()
        assert b"latseg.signature" in content
        assert b"reduced_precision_support" not in content

    def test_weights_may_lie_in_another_file(self, device: Device, tmp_path: Path) -> None:
        path = tmp_path / "external.onnx"
        onnx.save(small_net(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
        check_agreement(device, path, {"image": image(1, 3, 32, 32)})

    def test_weights_among_the_inputs_are_constants(self, device: Device, tmp_path: Path) -> None:
        model = small_net()
        for each in model.graph.initializer:
            model.graph.input.append(onnx.helper.make_tensor_value_info(each.name, each.data_type, each.dims))
        check_agreement(device, saved(model, tmp_path / "listed.onnx"), {"image": image(1, 3, 32, 32)})

    def test_functions_are_taken_apart(self, device: Device, tmp_path: Path) -> None:
        text = """
            <ir_version: 9, opset_import: ["" : 17, "own" : 1]>
            g (float[1, 3, 8, 8] x) => (float[1, 3, 16, 16] y) { y = own.Larger(x) }
            <domain: "own", opset_import: ["" : 17]>
            Larger (a) => (b) { s = Constant<value = float[4] {1, 1, 2, 2}>() b = Resize<mode="linear">(a, , s) }
        """
        path = saved(onnx.parser.parse_model(text), tmp_path / "function.onnx")
        check_agreement(device, path, {"x": image(1, 3, 8, 8)})

    def test_rows_are_those_of_the_net(self, measured: dict[str, Measurement]) -> None:
        rows = {row.outputs[-1]: row for row in measured["mobile"].operators}
        assert rows["relu_3"].kernel.startswith("Fully Connected")  # with what was fused behind it
        assert rows["relu_5"].kernel == "PAD+Convolution (NHWC, F32) DWConv"
        assert rows["concat_42"].inputs == ("resize_41", "add_12")
        assert rows["relu_44"].inputs == ("concat_42",)
        assert rows["logits"].inputs == ("conv_47",)
        assert measured["mobile"].profiler == "LiteRT profiler"

    def test_the_converter_is_part_of_the_fingerprint(self, device: Device) -> None:
        assert device.info().settings == (("converter", "onnx2tf==2.6.9"),)


def test_it_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(LiteRtConverter().folder.parent))
    home = tmp_path / "home"
    home.mkdir()
    run(INFER, "litert", saved(small_net(), tmp_path / "small.onnx"), home)
    assert [path.name for path in home.rglob("*")] == []
