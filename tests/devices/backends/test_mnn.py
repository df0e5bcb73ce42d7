from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import onnx
import onnx.parser
import pytest

from devices.backends.mnn import converter
from devices.backends.mnn.device import MnnDevice
from devices.backends.ort.device import CpuDevice
from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from foundation.errors import DeviceUnavailableError, UserError
from latseg.testing.device_contract import FAST, RuntimeContract
from latseg.testing.nets import mobile_net, saved, small_net
from search.spaces.registry import open_space
from tests.devices.backends import agreement
from tests.devices.backends.agreement import Feeds, both, check_net_and_operators, image, parsed

needs_mnn = pytest.mark.skipif(not MnnDevice().availability().available, reason="MNN is not installed")
ONNX_RUNTIME = CpuDevice()
TOLERANCE = 1e-3

RUN_TWICE = """
import json, sys
from pathlib import Path
import numpy as np
from devices.backends.mnn.session import MnnSession
session = MnnSession(Path(sys.argv[1]), 1)
session.fill({"image": np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)})
first, second = (session.run()[0].copy() for _ in range(2))
assert not np.isnan(first).any()
print("\\n" + json.dumps(float(np.abs(first - second).max())))
"""
OTHER_SHAPE = """
import sys
from pathlib import Path
from devices.backends.mnn.runtime import Mnn
from devices.model_inputs import ModelInput
from devices.worker.runtime import ModelFailedError, ModelFile
try:
    Mnn(1).load(ModelFile(Path(sys.argv[1]), Path(sys.argv[2]), (ModelInput("image", (1, 3, 32, 32), "float32"),)))
except ModelFailedError as error:
    print(f"\\nrefused: {error}")
"""
INFER = """
import sys
from pathlib import Path
import numpy as np
from devices.registry import get_device
get_device("mnn").infer(Path(sys.argv[1]), {"image": np.zeros((1, 3, 32, 32), np.float32)})
"""
LIMIT = converter._CHILD.partition("import _tools")[0] + (
    "import resource; sys.exit('limited' if resource.getrlimit(resource.RLIMIT_DATA)[0] > 0 else 0)"
)
"""What the converter's process does first: it limits its memory."""


def printed(code: str, *arguments: object) -> str:
    """What a fresh interpreter prints: MNN itself is not loaded into the process of the tests."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return run.stdout + run.stderr


def check_agreement(device: Device, path: Path, feeds: Feeds) -> None:
    agreement.check_agreement(device, path, feeds, TOLERANCE)


@needs_mnn
def resize(path: Path, attributes: str) -> Path:
    body = "(float[1, 5, 7, 6] x) => (float[1, 5, 14, 9] y) <int64[4] sides = {1, 5, 14, 9}> "
    return parsed(f"{body} {{ y = Resize<{attributes}>(x, , , sides) }}", path)


class TestMnn(RuntimeContract):
    runtime_modules = ("MNN", "_tools", "flatbuffers", "onnx", "torch")
    construct = "from devices.registry import get_device; get_device('mnn').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return MnnDevice()

    def test_a_second_run_gives_the_same_answer(self, device: Device, tmp_path: Path) -> None:
        """MNN writes over its inputs."""
        path = device.convert(saved(mobile_net(), tmp_path / "mobile.onnx"))
        assert json.loads(printed(RUN_TWICE, path).splitlines()[-1]) == 0

    @pytest.mark.parametrize(
        ("mode", "rule"),
        [
            *(("linear", rule) for rule in ("half_pixel", "align_corners", "asymmetric")),
            *(("cubic", rule) for rule in ("align_corners", "asymmetric")),
        ],
    )
    def test_resizes_by_every_convention(self, device: Device, tmp_path: Path, mode: str, rule: str) -> None:
        path = resize(tmp_path / "resize.onnx", f'mode = "{mode}", coordinate_transformation_mode = "{rule}"')
        check_agreement(device, path, {"x": image(1, 5, 7, 6)})

    def test_a_resize_in_a_function_is_seen(self, device: Device, tmp_path: Path) -> None:
        text = """
            <ir_version: 9, opset_import: ["" : 17, "own" : 1]>
            g (float[1, 3, 8, 8] x) => (float[n, c, h, w] y) { y = own.Larger(x) }
            <domain: "own", opset_import: ["" : 17]>
            Larger (a) => (b) { s = Constant<value = float[4] {1, 1, 2, 2}>() b = Resize<mode="cubic">(a, , s) }
        """
        onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
        with pytest.raises(UserError, match="cubic Resize by half pixels"):
            device.convert(tmp_path / "net.onnx")

    @pytest.mark.parametrize("rule", ["", ', coordinate_transformation_mode = "pytorch_half_pixel"'])
    def test_a_cubic_resize_that_it_computes_otherwise_is_refused(
        self, device: Device, tmp_path: Path, rule: str
    ) -> None:
        with pytest.raises(UserError, match="cubic Resize by half pixels"):
            device.convert(resize(tmp_path / "resize.onnx", f'mode = "cubic"{rule}'))

    def test_sizes_may_change_between_runs_and_be_rectangular(self, device: Device, tmp_path: Path) -> None:
        path = saved(small_net(size="side"), tmp_path / "dynamic.onnx")
        for side in (16, 24, 16):
            check_agreement(device, path, {"image": image(1, 3, side, side)})
        path = parsed("(float[1, 3, h, w] x) => (float[1, 3, h, w] y) { y = HardSwish(x) }", tmp_path / "sides.onnx")
        for shape in ((1, 3, 5, 9), (1, 3, 9, 5)):
            check_agreement(device, path, {"x": image(*shape)})

    @pytest.mark.parametrize(("seed", "upsampling"), [(3, "DepthToSpace"), (9, "ConvTranspose"), (11, "Resize")])
    def test_nets_of_the_search_and_their_operators(
        self, device: Device, tmp_path: Path, seed: int, upsampling: str
    ) -> None:
        space = open_space("portrait", sizes=[(160, 128)])
        graph = space.lower(space.sample(1, Random(seed))[0])
        assert {"Conv", "Concat", "Add", upsampling} <= {operator.kind for operator in graph.operators}
        check_net_and_operators(device, graph, tmp_path, TOLERANCE)

    def test_several_outputs_keep_their_order(self, device: Device, tmp_path: Path) -> None:
        body = "(float[1, 2, 3, 4] x) => (float[1, 2, 3, 4] z, float s, float[1, 2, 3, 4] a) {"
        body += "a = Relu(x) z = Neg(a) s = ReduceSum<keepdims = 0>(x) }"
        check_agreement(device, parsed(body, tmp_path / "three.onnx"), {"x": image(1, 2, 3, 4)})

    def test_whole_numbers_come_out_as_they_are(self, device: Device, tmp_path: Path) -> None:
        path = parsed(
            "(float[1, 5, 8, 6] x, int64[6] k) => (int64[1, 8, 6] mask, int64[6] n, bool[6] b) "
            "{ mask = ArgMax<axis = 1, keepdims = 0>(x) n = Mul(k, k) b = Equal(n, k) }",
            tmp_path / "mask.onnx",
        )
        feeds = {"x": image(1, 5, 8, 6), "k": np.arange(6)}
        pairs = both(device, path, feeds)
        assert [seen.dtype for seen, _ in pairs] == [np.int32] * 3
        assert all(np.array_equal(seen, expected) for seen, expected in pairs)
        with pytest.raises(UserError, match="'k' has numbers that do not fit into int32"):
            device.infer(path, {**feeds, "k": np.full(6, 2**40)})

    def test_a_single_number_is_an_input(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(float[1, 3, 8, 8] x, float k) => (float[1, 3, 8, 8] y) { y = Mul(x, k) }", tmp_path / "k.onnx")
        check_agreement(device, path, {"x": image(1, 3, 8, 8), "k": np.array(2.5, np.float32)})

    def test_an_input_that_nothing_reads_is_named(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(float[1, 3, 8, 8] x, float k) => (float[1, 3, 8, 8] y) { y = Relu(x) }", tmp_path / "k.onnx")
        with pytest.raises(UserError, match="MNN leaves out k, which no operator reads or makes"):
            device.infer(path, {"x": image(1, 3, 8, 8), "k": np.array(2.5, np.float32)})

    def test_bytes_are_fed_as_bytes(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(uint8[1, 2, 3, 4] x) => (float[1, 2, 3, 4] y) { y = Cast<to = 1>(x) }", tmp_path / "u8.onnx")
        check_agreement(device, path, {"x": np.arange(232, 256, dtype=np.uint8).reshape(1, 2, 3, 4)})

    def test_nan_stays_nan(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y) { y = Log(x) }", tmp_path / "log.onnx")
        (seen,) = device.infer(path, {"x": np.full((1, 3, 8, 8), -1, np.float32)})
        assert np.isnan(seen).all()

    def test_a_net_whose_shapes_depend_on_values_is_refused(self, device: Device, tmp_path: Path) -> None:
        path = parsed("(float[1, 3, 8, 8] x) => (int64[4, n] y) { y = NonZero(x) }", tmp_path / "nonzero.onnx")
        (result,) = device.measure([Candidate("nonzero", path)], nominal_reference_ms=1.0, protocol=FAST)
        assert isinstance(result, FailedMeasurement)
        assert "shape compute need input content" in result.reason
        with pytest.raises(UserError, match="shape compute need input content"):
            device.infer(path, {"x": image(1, 3, 8, 8)})

    def test_an_operator_without_shapes_is_named(self, device: Device, tmp_path: Path) -> None:
        path = parsed(
            "(float[1, 3, 8, 8] x, bool c) => (float[1, 3, 8, 8] y) { y = If(c) "
            "<then_branch = a () => (float[1, 3, 8, 8] p) { p = Relu(x) }, "
            "else_branch = b () => (float[1, 3, 8, 8] q) { q = Neg(x) }> }",
            tmp_path / "if.onnx",
        )
        with pytest.raises(UserError, match="Compute Shape Error for y"):
            device.infer(path, {"x": image(1, 3, 8, 8), "c": np.array(True)})

    def test_an_output_of_another_shape_is_refused(self, device: Device, tmp_path: Path) -> None:
        other = parsed("(float[1, 3, 32, 32] image) => (float[1, 1, 32, 32] logits) "
                       "{ logits = ReduceMax<axes = [1]>(image) }", tmp_path / "other.onnx")  # fmt: skip
        converted = device.convert(saved(small_net(), tmp_path / "small.onnx"))
        assert "'logits' the shape (1, 2, 32, 32), ONNX (1, 1, 32, 32)" in printed(OTHER_SHAPE, converted, other)

    def test_a_converted_file_runs_without_the_onnx_file(self, device: Device, tmp_path: Path) -> None:
        onnx_path = saved(small_net(), tmp_path / "small.onnx")
        path = Path(shutil.copy(device.convert(onnx_path), tmp_path / "small.mnn"))
        feeds: Feeds = {"image": image(1, 3, 32, 32)}
        assert np.array_equal(MnnDevice().infer(path, feeds)[0], device.infer(onnx_path, feeds)[0])
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(UserError, match=f"model {path}: got Invalidate buffer"):
            device.infer(path, feeds)
        path.unlink()
        with pytest.raises(UserError, match=f"model {path}: got No such file.*expected a file that export wrote"):
            device.infer(path, feeds)

    def test_weights_may_lie_in_another_file(self, device: Device, tmp_path: Path) -> None:
        path = tmp_path / "external.onnx"
        onnx.save(small_net(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
        check_agreement(device, path, {"image": image(1, 3, 32, 32)})

    def test_rows_are_those_of_the_net(self, measured: dict[str, Measurement]) -> None:
        rows = {row.outputs[-1]: row for row in measured["mobile"].operators}
        assert rows["relu_3"].kernel == "Convolution"  # with what was fused behind it
        assert rows["concat_42"].inputs == ("resize_41", "add_12")
        assert rows["relu_44"].inputs == ("concat_42",)
        assert rows["hardsigmoid_21"].kernel == "BinaryOp+ReLU6"  # the converter made three operators of one
        assert rows["hardsigmoid_21"].inputs == ("conv_20",)
        assert rows["logits"].inputs == ("conv_47",)

    def test_nothing_is_printed(self, device: Device, tmp_path: Path) -> None:
        assert printed(INFER, saved(small_net(), tmp_path / "small.onnx")) == ""


@needs_mnn
def test_the_vendors_logger_is_never_imported(tmp_path: Path) -> None:
    """Importing it runs ``pip install``."""
    path = saved(small_net(), tmp_path / "small.onnx")
    end = "; import MNN; assert 'MNN.tools' not in sys.modules, sys.modules"
    printed(converter._CHILD + end, "-f", "ONNX", "--modelFile", path, "--MNNModel", tmp_path / "small.mnn")
    assert (tmp_path / "small.mnn").exists()


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        ("import os; os.abort()", "crashed with SIGABRT"),
        ("import sys; print('no such thing'); sys.exit(3)", "ended with exit code 3: no such thing"),
        ("", "no file and no reason"),
        (LIMIT, "limited"),
        ("import time; time.sleep(60)", "not done after 0.5 s"),
    ],
)
def test_a_converter_that_fails_costs_the_measurement(
    child: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(converter, "_CHILD", child)
    monkeypatch.setattr(converter, "_TIMEOUT_S", 0.5 if "sleep" in child else 60)
    path = saved(small_net(), tmp_path / "small.onnx")
    with pytest.raises(UserError, match=reason):
        converter.convert(path, tmp_path / "small.mnn")
    monkeypatch.setattr("devices.worker.device.find_spec", lambda _: True)
    monkeypatch.setattr("devices.worker.device.package_version", lambda _: "1")
    (result,) = MnnDevice().measure([Candidate("small", path)], nominal_reference_ms=1.0, protocol=FAST)
    assert isinstance(result, FailedMeasurement)
    assert reason in result.reason


def test_absent_runtime_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.device.find_spec", lambda _: None)
    device = MnnDevice()
    assert device.availability().remedy == 'pip install "latseg[mnn]"'
    with pytest.raises(DeviceUnavailableError, match=r"MNN is not installed.*latseg\[mnn\]"):
        device.info()
