from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from devices.backends.ncnn.calls import as_fed
from devices.backends.ncnn.convert import PARAM_NAME, convert_to_ncnn
from devices.backends.ncnn.device import NcnnDevice
from devices.backends.ncnn.signature import read_signature
from devices.backends.ort.calls import open_session, run_session, session_options
from devices.device import Candidate, Device
from devices.measurement import Measurement
from devices.model_file import check_model
from devices.model_inputs import model_inputs, random_inputs
from devices.worker.runtime import ModelFailedError
from foundation.errors import DeviceUnavailableError, UserError
from latency.operators.synthesize import single_operator, to_model
from latseg.testing.device_contract import FAST, RuntimeContract
from latseg.testing.graph_builder import GraphBuilder
from latseg.testing.nets import mobile_net, raw_model, saved, small_net
from search.spaces.portrait.space import PortraitSpace

ROOT = Path(__file__).parents[3]
HERE = NcnnDevice().availability().available
installed = pytest.mark.skipif(not HERE, reason="ncnn or pnnx is not installed")


@pytest.fixture(scope="module")
def ncnn() -> Device:
    return NcnnDevice()


def compare(device: Device, path: Path) -> float:
    """Largest difference to ONNX Runtime as a share of the largest value; outputs have the same shapes."""
    feeds = random_inputs(model_inputs(check_model(path), ()))
    expected = run_session(open_session(str(path), session_options(1)), feeds)
    pairs = list(zip(device.infer(path, feeds), expected, strict=True))
    assert [seen.shape for seen, _ in pairs] == [right.shape for _, right in pairs]
    return max(float(np.abs(seen - right).max() / np.abs(right).max()) for seen, right in pairs)


def convolution_and(write: Callable[[GraphBuilder, str], str], path: Path) -> Path:
    """A model of 9 x 14 pixels with one more node behind its convolution."""
    net = GraphBuilder(seed=4)
    made = write(net, net.convolution("image", 3, 8, kernel=3))
    return saved(net.finish(made, (1, 3, 9, 14), ("batch", "channels", "height", "width")), path)


def answer(function: str, model: Path) -> Any:
    """Of a function of ``ncnn_program``, with OpenMP as it is by default."""
    command = [sys.executable, "-m", "tests.devices.backends.ncnn_program", function, str(model)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["answer"]


@installed
class TestNcnn(RuntimeContract):
    runtime_modules = ("ncnn", "pnnx", "onnx", "onnxruntime", "torch")
    construct = "from devices.registry import get_device; get_device('ncnn').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return NcnnDevice()


@installed
class TestInference:
    def test_single_precision(self, ncnn: Device, tmp_path: Path) -> None:
        """Half precision, the default of ncnn and pnnx, differs by 1e-4."""
        assert compare(ncnn, saved(mobile_net(), tmp_path / "mobile.onnx")) < 1e-5

    @pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners"])
    @pytest.mark.parametrize("factors", [(2, 2), (2, 3), (1.5, 1.5)])
    def test_bilinear_resize(self, ncnn: Device, tmp_path: Path, coordinates: str, factors: tuple[float]) -> None:
        def resize(net: GraphBuilder, x: str) -> str:
            scales = net.constant(np.array([1, 1, *factors], np.float32))
            return net.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode=coordinates)

        assert compare(ncnn, convolution_and(resize, tmp_path / "net.onnx")) < 2e-6

    @pytest.mark.parametrize("mode", ["DCR", "CRD", None])
    def test_depth_to_space(self, ncnn: Device, tmp_path: Path, mode: str | None) -> None:
        attributes = {"mode": mode} if mode else {}
        path = convolution_and(lambda net, x: net.node("DepthToSpace", [x], blocksize=2, **attributes), tmp_path / "m")
        assert compare(ncnn, path) < 2e-6

    @pytest.mark.parametrize("kind", ["HardSwish", "HardSigmoid", "Relu", "GlobalAveragePool", "Softmax"])
    def test_an_operator_alone(self, ncnn: Device, tmp_path: Path, kind: str) -> None:
        text = (
            '<ir_version: 9, opset_import: ["" : 17]> g (float[1, 6, 9, 14] x) => (float[1, 6, h, w] y) '
            f"{{ y = {kind}{'<axis=1>' if kind == 'Softmax' else ''}(x) }}"
        )
        onnx.save(onnx.parser.parse_model(text), tmp_path / "alone.onnx")
        assert compare(ncnn, tmp_path / "alone.onnx") < 2e-6

    def test_a_batch(self, ncnn: Device, tmp_path: Path) -> None:
        net = GraphBuilder(seed=5)
        made = net.node("Relu", [net.convolution("image", 3, 8, kernel=3)])
        path = saved(net.finish(made, (2, 3, 9, 14), (2, 8, 9, 14)), tmp_path / "two.onnx")
        assert compare(ncnn, path) < 2e-6
        (result,) = ncnn.measure([Candidate("two", path)], nominal_reference_ms=1.0, protocol=FAST)
        assert isinstance(result, Measurement)
        assert [row.outputs for row in result.operators] == [("logits",)]

    def test_whole_numbers(self, ncnn: Device, tmp_path: Path) -> None:
        table = onnx.numpy_helper.from_array(np.arange(80, dtype=np.float32).reshape(20, 4), "table")
        text = '<ir_version: 9, opset_import: ["" : 17]> g (int64[8] x) => (float[8, 4] y) { y = Gather(table, x) }'
        model = onnx.parser.parse_model(text)
        model.graph.initializer.append(table)
        path = saved(model, tmp_path / "table.onnx")
        assert compare(ncnn, path) == 0
        (result,) = ncnn.measure([Candidate("table", path)], nominal_reference_ms=1.0, protocol=FAST)
        assert isinstance(result, Measurement)
        assert [row.outputs for row in result.operators] == [("y",)], result.profiler

    def test_a_pooling_of_one_pixel_stays(self, ncnn: Device, tmp_path: Path) -> None:
        net = GraphBuilder(seed=5)
        made = net.convolution(net.node("MaxPool", ["image"], kernel_shape=[1, 1], strides=[2, 2]), 3, 8)
        path = saved(net.finish(made, (1, 3, 8, 6), (1, 8, 4, 3)), tmp_path / "thinned.onnx")
        assert compare(ncnn, path) < 2e-6

    def test_a_converted_file_is_run_as_it_is(self, ncnn: Device, tmp_path: Path) -> None:
        path, param = saved(small_net(), tmp_path / "small.onnx"), tmp_path / "other.param"
        convert_to_ncnn(path, param)
        feeds = {"image": np.ones((1, 3, 32, 32), np.float32)}
        assert np.array_equal(ncnn.infer(param, feeds)[0], ncnn.infer(path, feeds)[0])
        with pytest.raises(UserError, match="1x3x32x32"):
            ncnn.infer(param, {"image": np.ones((1, 3, 8, 8), np.float32)})
        param.with_suffix(".json").write_text('{"inputs": []}')
        with pytest.raises(UserError, match=r"other\.json is no signature"):
            NcnnDevice().infer(param, feeds)

    def test_a_damaged_file_is_refused(self, ncnn: Device, tmp_path: Path) -> None:
        param = tmp_path / PARAM_NAME
        convert_to_ncnn(saved(small_net(), tmp_path / "small.onnx"), param)
        weights = param.with_suffix(".bin").read_bytes()
        param.with_suffix(".bin").write_bytes(weights[:100])
        feeds = {"image": np.ones((1, 3, 32, 32), np.float32)}
        with pytest.raises(UserError, match=r"cannot load model\.ncnn\.bin"):
            ncnn.infer(param, feeds)
        param.write_text(param.read_text().replace("Convolution ", "Unknown "))
        with pytest.raises(UserError, match=r"cannot load model\.ncnn\.param"):
            ncnn.infer(param, feeds)

    @pytest.mark.parametrize(("nets", "seed"), [(3, 28), pytest.param(12, 3, marks=pytest.mark.long)])
    def test_every_operator_of_nets_of_the_space(self, ncnn: Device, tmp_path: Path, nets: int, seed: int) -> None:
        space = PortraitSpace(sizes=((160, 128),))
        operators = {
            (operator.kind, operator.attributes): operator
            for architecture in space.sample(nets, Random(seed))
            for operator in space.lower(architecture).operators
        }
        assert {kind for kind, _ in operators} >= {"Conv", "ConvTranspose", "DepthToSpace", "Resize", "Concat", "Mul"}
        for number, operator in enumerate(operators.values()):
            path = saved(to_model(single_operator(operator)), tmp_path / f"{number}.onnx")
            assert compare(ncnn, path) < 2e-6, operator


RESIZE_IN_A_FUNCTION = """
<ir_version: 9, opset_import: ["" : 17, "own" : 1]>
g (float[1, 3, 8, 8] x) => (float[n, c, h, w] y) { y = own.Larger(x) }
<domain: "own", opset_import: ["" : 17]>
Larger (a) => (b) {
  s = Constant<value = float[4] {1, 1, 2, 2}>()
  b = Resize<mode="nearest", nearest_mode="floor">(a, , s)
}
"""


@installed
class TestConversion:
    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("y = ArgMax<axis=1>(x)", r"the operator ArgMax\)"),
            ("y = Cast<to=7>(x)", r"the operator Tensor\.to\)"),
            ('s = Constant<value = float[4] {1, 1, 2, 2}>() y = Resize<mode="linear", '
             'coordinate_transformation_mode="asymmetric">(x, , s)', "Resize with coordinates 'asymmetric'"),
        ],
    )  # fmt: skip
    def test_an_operator_that_cannot_be_converted_is_named(self, tmp_path: Path, text: str, named: str) -> None:
        """Also those that pnnx would copy, or take for another one."""
        kind = "float" if "Resize" in text else "int64"
        header = f'<ir_version: 9, opset_import: ["" : 17]> g (float[1, 3, 8, 8] x) => ({kind}[n, c, h, w] y)'
        onnx.save(onnx.parser.parse_model(f"{header} {{ {text} }}"), tmp_path / "net.onnx")
        with pytest.raises(UserError, match=named) as error:
            convert_to_ncnn(tmp_path / "net.onnx", tmp_path / PARAM_NAME)
        assert "\n" not in str(error.value)
        assert not (tmp_path / PARAM_NAME).exists()

    @pytest.mark.parametrize(
        ("attributes", "fault"),
        [
            ('mode="nearest", nearest_mode="floor"', "nearest pixels by 'half_pixel' and 'floor'"),
            ('mode="nearest", coordinate_transformation_mode="asymmetric"', "and 'round_prefer_floor'"),
            ('mode="cubic", cubic_coeff_a=-0.5', "the cubic coefficient -0.5"),
        ],
    )
    def test_a_resize_that_would_be_another_one_is_refused(self, tmp_path: Path, attributes: str, fault: str) -> None:
        text = (
            '<ir_version: 9, opset_import: ["" : 17]> g (float[1, 3, 8, 8] x) => (float[n, c, h, w] y) '
            f"{{ s = Constant<value = float[4] {{1, 1, 2, 2}}>() y = Resize<{attributes}>(x, , s) }}"
        )
        onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
        with pytest.raises(UserError, match=fault):
            convert_to_ncnn(tmp_path / "net.onnx", tmp_path / PARAM_NAME)

    def test_a_resize_in_a_function_is_seen(self, tmp_path: Path) -> None:
        path = tmp_path / "net.onnx"
        onnx.save(onnx.parser.parse_model(RESIZE_IN_A_FUNCTION), path)
        with pytest.raises(UserError, match="nearest pixels by 'half_pixel' and 'floor'"):
            convert_to_ncnn(path, tmp_path / PARAM_NAME)

    @pytest.mark.parametrize("size", [9, "side"])
    def test_pictures_lose_their_batch(self, tmp_path: Path, size: int | str) -> None:
        """Also where no operator says so: as four axes they would have no layout for vectors."""
        net = GraphBuilder(seed=6)
        path = saved(net.finish(net.node("Relu", ["image"]), (1, 8, size, size), (1, 8, size, size)), tmp_path / "net")
        convert_to_ncnn(path, tmp_path / PARAM_NAME)
        signature = read_signature(tmp_path / PARAM_NAME)
        assert signature.inputs == (("image", (1, 8, *([None] * 2 if size == "side" else [9, 9]))),)
        assert (signature.input_batches, signature.output_batches) == ((0,), (0,))
        assert "Pooling" not in (tmp_path / PARAM_NAME).read_text()

    def test_a_pooling_of_whole_numbers_is_not_taken_for_a_mark(self, tmp_path: Path) -> None:
        text = (
            '<ir_version: 9, opset_import: ["" : 17]> g (uint8[1, 3, 8, 8] x) => (uint8[1, 3, 4, 4] y) '
            "{ y = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(x) }"
        )
        onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
        convert_to_ncnn(tmp_path / "net.onnx", tmp_path / PARAM_NAME)
        assert "Pooling" in (tmp_path / PARAM_NAME).read_text()

    def test_upsampling_of_old_opsets(self, tmp_path: Path) -> None:
        scales = onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "s")
        model = raw_model("Upsample", opset=9)
        model.graph.initializer.append(scales)
        model.graph.node[0].input.append("s")
        model.graph.node[0].attribute.append(onnx.helper.make_attribute("mode", "linear"))
        with pytest.raises(UserError, match="Upsample with coordinates 'asymmetric'"):
            convert_to_ncnn(saved(model, tmp_path / "net.onnx"), tmp_path / PARAM_NAME)

    def test_a_crash_of_the_converter_is_one_line(self, tmp_path: Path) -> None:
        """pnnx tries whole numbers of its own, for which this table has no row."""
        table = onnx.numpy_helper.from_array(np.ones((2, 4), np.float32), "table")
        text = '<ir_version: 9, opset_import: ["" : 17]> g (int64[7] x) => (float[7, 4] y) { y = Gather(table, x) }'
        model = onnx.parser.parse_model(text)
        model.graph.initializer.append(table)
        with pytest.raises(UserError, match=r"cannot convert to ncnn \(exit code -\d+: .*Gather") as error:
            convert_to_ncnn(saved(model, tmp_path / "net.onnx"), tmp_path / PARAM_NAME)
        assert "\n" not in str(error.value)

    def test_a_converter_that_does_not_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devices.backends.ncnn.converter_program.TIMEOUT_S", 0.001)
        with pytest.raises(UserError, match=r"not done in 0\.001 s"):
            convert_to_ncnn(saved(small_net(), tmp_path / "net.onnx"), tmp_path / PARAM_NAME)

    def test_the_converter_gets_no_more_memory_than_is_free(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = saved(small_net(), tmp_path / "net.onnx")
        monkeypatch.setattr("devices.worker.memory_limit.free_bytes", lambda: 2**20)
        with pytest.raises(UserError, match="cannot convert to ncnn"):
            convert_to_ncnn(path, tmp_path / PARAM_NAME)

    def test_weights_are_written_in_single_precision(self, tmp_path: Path) -> None:
        path = saved(mobile_net(), tmp_path / "net.onnx")
        convert_to_ncnn(path, tmp_path / PARAM_NAME)
        weights = sum(np.prod(one.dims) for one in onnx.load(path).graph.initializer)
        assert (tmp_path / PARAM_NAME).with_suffix(".bin").stat().st_size > 0.99 * 4 * weights

    def test_the_converter_is_part_of_the_fingerprint(self, ncnn: Device) -> None:
        ((name, version),) = ncnn.info().settings
        assert name == "converter"
        assert version.startswith("pnnx 2")


@installed
class TestRuntime:
    @pytest.mark.parametrize("shape", [(1, 3, 9, 14), (9, 14)])
    def test_inputs_are_held_and_left_as_they_are(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        """Without a batch, ncnn would use the memory of the array itself."""
        net = GraphBuilder(seed=6)
        path = saved(net.finish(net.node("HardSwish", ["image"]), shape, shape), tmp_path / "net.onnx")
        assert answer("held_arrays", path)

    def test_threads_that_wait_do_not_spin(self, tmp_path: Path) -> None:
        """A ratio of CPU time and wall time; OpenMP's default is 0.9."""
        assert answer("idle_share", saved(mobile_net(), tmp_path / "net.onnx")) < 0.3

    def test_layers_are_computed_once(self, tmp_path: Path) -> None:
        """The sum of the layers is about the time of a run; computing each from the input would give three times it."""
        net = GraphBuilder(seed=7)
        x = "image"
        for _ in range(6):
            x = net.convolution(x, 64, 64, kernel=3)
        path = saved(net.finish(x, (1, 64, 32, 32), (1, 64, 32, 32)), tmp_path / "net.onnx")
        assert 0.6 < answer("profile_ratio", path) < 1.6

    @pytest.mark.parametrize(("channels", "packs"), [(64, True), (3, False)])
    def test_layouts_of_inputs_are_no_part_of_an_operators_own_time(
        self, tmp_path: Path, channels: int, packs: bool
    ) -> None:
        """Three channels have no layout but the plain one."""
        net = GraphBuilder(seed=8)
        x = net.node("Relu", [net.node("Relu", ["image"])])
        path = saved(net.finish(x, (1, channels, 96, 96), (1, channels, 96, 96)), tmp_path / "net.onnx")
        first, second = answer("own_shares", path)
        assert second == 1
        assert first < 0.8 if packs else first == 1


@pytest.mark.parametrize("missing", ["ncnn", "pnnx"])
def test_an_absent_package_names_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("devices.worker.device", "devices.backends.ncnn.converter_program"):
        monkeypatch.setattr(f"{module}.find_spec", lambda name: None if name == missing else object())
    availability = NcnnDevice().availability()
    assert availability.reason == f"{missing} is not installed"
    assert availability.remedy == 'pip install "latseg[ncnn]"'
    with pytest.raises(DeviceUnavailableError, match="latseg"):
        NcnnDevice().infer(Path("net.onnx"), {})


def test_whole_numbers_that_do_not_fit_are_refused() -> None:
    np.testing.assert_array_equal(as_fed(np.array([1, -2])), np.array([1, -2], np.int32))
    with pytest.raises(ModelFailedError, match="do not fit into int32"):
        as_fed(np.array([1, 3_000_000_000]))
