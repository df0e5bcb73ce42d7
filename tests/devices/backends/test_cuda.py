"""The device ``cuda``. Its operators and its way through a worker run on the processor; times need a GPU."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import torch

from devices.backends.cuda import driver
from devices.backends.cuda.device import CudaDevice
from devices.backends.cuda.network import OPERATORS, TorchNetwork
from devices.backends.cuda.runtime import TorchModel
from devices.backends.ort.calls import open_session, run_session, session_options
from devices.device import Availability, Device
from devices.model_inputs import ModelInput
from devices.worker.runtime import ModelFailedError, ModelFile
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import RuntimeContract
from tests.devices.backends.torch_on_processor import ProcessorDevice

CUDA = CudaDevice()


class TestOnProcessor(RuntimeContract):
    construct = "from devices.backends.cuda.device import CudaDevice; CudaDevice().availability()"
    runtime_modules = ("torch", "onnx")

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return ProcessorDevice()


@pytest.mark.gpu
@pytest.mark.skipif(not CUDA.availability().available, reason="needs a GPU")
class TestCuda(RuntimeContract):
    construct = "from devices.registry import get_device; get_device('cuda').availability()"
    runtime_modules = ("torch", "onnx")

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return CudaDevice()


X = "float[1,4,9,7] x"


def test_a_machine_without_a_gpu_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> driver.Gpu:
        raise driver.NoGpuError("no NVIDIA GPU with a driver")

    monkeypatch.setattr("devices.backends.cuda.device.metadata.version", lambda _: "2.13.0+cpu")
    assert CudaDevice().availability() == Availability(
        False, "this build of torch has no CUDA", 'pip install "latseg[cuda]" and a build of torch with CUDA'
    )
    monkeypatch.setattr("devices.backends.cuda.device.metadata.version", lambda _: "2.13.0")
    monkeypatch.setattr("devices.backends.cuda.device.first_gpu", none)
    with pytest.raises(DeviceUnavailableError, match=r"no NVIDIA GPU with a driver.*on a machine with an NVIDIA GPU"):
        CudaDevice().info()


def test_the_driver_decides_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.backends.cuda.device.metadata.version", lambda _: "2.13.0")
    infos = []
    for version in ("580", "590"):
        monkeypatch.setattr("devices.backends.cuda.device.first_gpu", partial(driver.Gpu, "GPU", version, 345.0))
        infos.append(CudaDevice().info())
    assert infos[0].hardware == "GPU"
    assert infos[0].clock_mhz == 345.0
    assert infos[0].differences(infos[1]) == ("settings",)


def test_without_the_library_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "find_spec", lambda _: None)
    with pytest.raises(driver.NoGpuError, match="nvidia-ml-py is not installed"):
        driver.first_gpu()


def text(body: str, *, inputs: str = X, outputs: str = "y", opset: int = 18) -> str:
    outputs = ", ".join(f"float[] {name}" for name in outputs.split())
    return f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => ({outputs}) {{ {body} }}'


def parsed(source: str) -> onnx.ModelProto:
    """The model with the types of its outputs."""
    model = onnx.parser.parse_model(source)
    names = [value.name for value in model.graph.output]
    del model.graph.output[:]
    found = {value.name: value for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info}
    model.graph.output.extend(found[name] for name in names)
    return model


def both(model: onnx.ModelProto, folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outputs of this device and of ONNX Runtime for random inputs."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    session = open_session(str(path), session_options(1))
    random = np.random.default_rng(0)
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    feeds = {
        each.name: (random.standard_normal(each.shape) * 2).astype(kinds[each.type]) for each in session.get_inputs()
    }
    network = TorchNetwork(path, "cpu")
    _, values = network.trace({name: torch.from_numpy(array) for name, array in feeds.items()})
    return [
        (values[name].numpy(), expected)
        for name, expected in zip(network.outputs, run_session(session, feeds), strict=True)
    ]


FLOATS = "float[1,4,9,7] x, float[1,4,1,7] z"
NUMBERS = {
    **{kind: text(f"y = {kind}(x)") for kind in (  # noqa: SIM905 - a table
        "Abs Ceil Cos Erf Exp Floor Neg Reciprocal Relu Round Sigmoid Sign Sin Tanh Elu HardSigmoid HardSwish LeakyRelu"
        " Mish Softplus Identity Dropout Flatten Transpose Softmax LogSoftmax GlobalAveragePool GlobalMaxPool"
        " ArgMin ReduceMean ReduceMax ReduceMin ReduceSum"
    ).split()},
    **{kind: text(f"y = {kind}(x, z)", inputs=FLOATS) for kind in (
        "Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "PRelu", "Equal", "Greater", "GreaterOrEqual", "Less",
        "LessOrEqual",
    )},
    "Log, Sqrt": text("a = Abs(x) b = Log(a) c = Sqrt(a) y = Add(b, c)"),
    "Pow": text("two = Constant<value_float=2.0>() y = Pow(x, two)"),
    "And, Or, Not, Where": text(
        "a = Greater(x, z) b = Less(x, z) c = Not(a) d = And(b, c) e = Or(a, d) y = Where(e, x, z)", inputs=FLOATS
    ),
    "Div of integers": text("a = Cast<to=7>(x) t = Constant<value_int=3>() y = Div(a, t)"),
    "Gelu": text("y = Gelu(x)", opset=20),
    "Gelu by tanh": text('y = Gelu<approximate="tanh">(x)', opset=20),
    "Clip": text("low = Constant<value_float=-0.5>() high = Constant<value_float=0.7>() y = Clip(x, low, high)"),
    "Clip from above": text("high = Constant<value_float=0.7>() y = Clip(x, , high)"),
    "Clip of nothing": text("y = Clip(x)"),
    "Clip of old": text("y = Clip<min=-0.5, max=0.7>(x)", opset=10),
    "Softmax of old": text("y = Softmax(x)", opset=11),
    "ArgMax": text("y = ArgMax<axis=1, keepdims=0>(x)"),
    "ReduceMean of axes": text("axes = Constant<value_ints=[-1, 2]>() y = ReduceMean<keepdims=0>(x, axes)"),
    "ReduceMean of old": text("y = ReduceMean<axes=[2, 3]>(x)", opset=13),
    "ReduceSum of nothing": text(
        "axes = Constant<value = int64[0] {}>() y = ReduceSum<noop_with_empty_axes=1>(x, axes)"
    ),
    "MatMul": text("y = MatMul(x, z)", inputs="float[1,4,9,7] x, float[7,5] z"),
    "Gemm": text("y = Gemm<transA=1, transB=1, alpha=0.5, beta=2.0>(x, z, b)",
                 inputs="float[5,3] x, float[2,5] z, float[2] b"),
    "Gemm without bias": text("y = Gemm<alpha=0.5>(x, z)", inputs="float[3,5] x, float[5,2] z"),
    "BatchNormalization": text("v = Abs(b) y = BatchNormalization(x, a, b, a, v)",
                               inputs="float[1,4,9,7] x, float[4] a, float[4] b"),
    "InstanceNormalization": text("y = InstanceNormalization(x, a, b)",
                                  inputs="float[1,4,9,7] x, float[4] a, float[4] b"),
    "LayerNormalization": text("y = LayerNormalization<axis=-2>(x, a, b)",
                               inputs="float[1,4,9,7] x, float[9,7] a, float[9,7] b"),
}  # fmt: skip
PICTURE = "float[1,4,9,7] x, float[6,4,3,3] w, float[6] b, float[4,1,3,3] d, float[4,3,2,2] t"
WINDOW = {
    name: text(f"y = {body}", inputs=PICTURE)
    for name, body in {
        "Conv": "Conv<pads=[1,1,1,1]>(x, w, b)",
        "Conv, stride": "Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)",
        "Conv, dilation": "Conv<pads=[2,2,2,2], dilations=[2,2]>(x, w)",
        "Conv by channel": "Conv<pads=[1,1,1,1], group=4>(x, d)",
        "Conv, uneven padding": "Conv<pads=[0,1,2,1]>(x, w, b)",
        "Conv, same upper": 'Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w)',
        "Conv, same lower": 'Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w)',
        "Conv, valid": 'Conv<auto_pad="VALID">(x, w)',
        "ConvTranspose": "ConvTranspose<strides=[2,2]>(x, t)",
        "ConvTranspose, padding": "ConvTranspose<strides=[2,2], pads=[1,0,1,0], output_padding=[1,1]>(x, t)",
        "MaxPool": "MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)",
        "MaxPool, uneven padding": "MaxPool<kernel_shape=[2,2], strides=[2,2], pads=[0,0,1,1]>(x)",
        "MaxPool, ceiling": "MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)",
        "MaxPool, wide padding": "MaxPool<kernel_shape=[3,3], pads=[2,2,2,2]>(x)",
        "AveragePool": "AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)",
        "AveragePool, padding counts": "AveragePool<kernel_shape=[3,3], pads=[1,0,2,1], count_include_pad=1>(x)",
    }.items()
}
SHAPES = {
    name: text(body)
    for name, body in {
        "Reshape": "s = Constant<value_ints=[0, -1, 7]>() y = Reshape(x, s)",
        "Reshape by its own shape": "s = Shape(x) y = Reshape(x, s)",
        "shape arithmetic": "s = Shape(x) i = Constant<value_ints=[2,3]>() t = Gather(s, i)"
        " u = Constant<value_ints=[1,4]>() v = Concat<axis=0>(u, t) y = Reshape(x, v)",
        "a part of the shape": "s = Shape<start=2, end=3>(x) i = Constant<value_ints=[1,4,-1]>()"
        " t = Concat<axis=0>(i, s) y = Reshape(x, t)",
        "Squeeze, Unsqueeze": "a = Constant<value_ints=[0]>() s = Squeeze(x, a) b = Constant<value_ints=[0,-1]>()"
        " y = Unsqueeze(s, b)",
        "Transpose": "y = Transpose<perm=[0,2,3,1]>(x)",
        "Slice": "a = Constant<value_ints=[1,-5]>() b = Constant<value_ints=[9000,-1]>()"
        " c = Constant<value_ints=[2,3]>() d = Constant<value_ints=[2,1]>() y = Slice(x, a, b, c, d)",
        "Split": "s = Constant<value_ints=[1,3]>() y, z = Split<axis=1>(x, s)",
        "Split in equal parts": "y, z = Split<axis=1, num_outputs=2>(x)",
        "Concat": "y = Concat<axis=1>(x, x)",
        "Pad": "p = Constant<value_ints=[0,0,1,2,0,0,0,1]>() v = Constant<value_float=0.5>() y = Pad(x, p, v)",
        "Pad, reflect": 'p = Constant<value_ints=[0,0,1,2,0,0,0,1]>() y = Pad<mode="reflect">(x, p)',
        "Pad, edge": 'p = Constant<value_ints=[0,0,1,2,0,0,0,1]>() y = Pad<mode="edge">(x, p)',
        "Pad of axes": "p = Constant<value_ints=[1,2]>() a = Constant<value_ints=[3]>() y = Pad(x, p, , a)",
        "DepthToSpace": "y = DepthToSpace<blocksize=2>(x)",
        "DepthToSpace, columns": 'y = DepthToSpace<blocksize=2, mode="CRD">(x)',
        "SpaceToDepth": "p = Constant<value_ints=[0,0,0,0,0,0,1,1]>() q = Pad(x, p) y = SpaceToDepth<blocksize=2>(q)",
        "Gather": "i = Constant<value_ints=[2,-1,0]>() y = Gather<axis=1>(x, i)",
        "Gather of one": "i = Constant<value_int=2>() y = Gather<axis=1>(x, i)",
        "Expand": "g = GlobalAveragePool(x) s = Constant<value_ints=[1,4,3,1]>() y = Expand(g, s)",
        "Tile": "r = Constant<value_ints=[1,2,1,3]>() y = Tile(x, r)",
        "ConstantOfShape": "s = Shape(x) o = ConstantOfShape<value = float[1] {2.0}>(s) y = Mul(x, o)",
        "Cast": "y = Cast<to=7>(x)",
    }.items()
}
SHAPES["Split"] = text("s = Constant<value_ints=[1,3]>() y, z = Split<axis=1>(x, s)", outputs="y z")
RESIZES = {
    f"Resize, {mode}, {rule}, {what}": text(
        f'c = Constant<{numbers}>() y = Resize<mode="{mode}", coordinate_transformation_mode="{rule}"{more}>'
        f"(x, , {'c' if what == 'scales' else ', c'})"
    )
    for what, numbers in (("scales", "value_floats=[1.0,1.0,2.0,1.5]"), ("sizes", "value_ints=[1,4,20,5]"))
    for mode, rule, more in (
        ("linear", "half_pixel", ""),
        ("linear", "align_corners", ""),
        ("linear", "asymmetric", ""),
        ("cubic", "half_pixel", ""),
        ("nearest", "asymmetric", ', nearest_mode="floor"'),
    )
}
RESIZES["Resize, nearest, half_pixel"] = text(
    "c = Constant<value_floats=[1.0,1.0,2.0,3.0]>() "
    'y = Resize<mode="nearest", nearest_mode="round_prefer_floor", coordinate_transformation_mode="half_pixel">(x, , c)'
)
MODELS = {**NUMBERS, **WINDOW, **SHAPES, **RESIZES}


@pytest.mark.parametrize("name", MODELS)
def test_operators_compute_what_onnx_runtime_computes(name: str, tmp_path: Path) -> None:
    for seen, expected in both(parsed(MODELS[name]), tmp_path):
        assert seen.dtype == expected.dtype
        np.testing.assert_allclose(seen, expected, atol=1e-5)


REFUSED = {
    "Slice": "a = Constant<value_ints=[5]>() b = Constant<value_ints=[1]>() c = Constant<value_ints=[3]>()"
    " d = Constant<value_ints=[-1]>() y = Slice(x, a, b, c, d)",
    "MaxPool": "y, z = MaxPool<kernel_shape=[2,2]>(x)",
    "AveragePool": "y = AveragePool<kernel_shape=[2,2], pads=[0,0,1,1]>(x)",
    "ConvTranspose": "w = Constant<value = float[4,1,2,2] {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}>()"
    ' y = ConvTranspose<auto_pad="SAME_UPPER", strides=[2,2]>(x, w)',
    "Resize, aspect": "c = Constant<value_ints=[18,7]>()"
    ' y = Resize<axes=[2,3], keep_aspect_ratio_policy="not_larger", mode="linear">(x, , , c)',
    "Dropout": "y, z = Dropout(x)",
    "ArgMax": "y = ArgMax<select_last_index=1>(x)",
    "Resize": 'c = Constant<value_floats=[1.0,1.0,2.0,1.5]>() y = Resize<nearest_mode="ceil">(x, , c)',
    "Resize, channels": "c = Constant<value_floats=[1.0,2.0,2.0,1.5]>() y = Resize(x, , c)",
    "Reshape": "a = Cast<to=7>(x) y = Reshape(x, a)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_compute_is_refused(name: str, tmp_path: Path) -> None:
    model = onnx.parser.parse_model(text(REFUSED[name]))
    onnx.save(model, tmp_path / "model.onnx")
    network = TorchNetwork(tmp_path / "model.onnx", "cpu")
    with pytest.raises(ModelFailedError, match=name.partition(",")[0]):
        network.trace({"x": torch.zeros(1, 4, 9, 7)})


def test_every_operator_is_in_a_test() -> None:
    tested = {node.op_type for model in MODELS.values() for node in onnx.parser.parse_model(model).graph.node}
    assert not set(OPERATORS) - tested


def test_a_resize_of_old_is_refused(tmp_path: Path) -> None:
    """Its factors are another input."""
    model = onnx.parser.parse_model(text("c = Constant<value = float[4] {1,1,2,2}>() y = Resize(x, c)", opset=10))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelFailedError, match="an opset before 11"):
        TorchNetwork(tmp_path / "model.onnx", "cpu").trace({"x": torch.zeros(1, 4, 9, 7)})


def test_a_run_copies_nothing_to_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a CUDA graph is recorded, nothing may be copied."""
    source = text("c = Constant<value_float=3.0>() s = Shape(x) f = Cast<to=1>(s) d = Mul(f, c) m = ReduceMax(d)"
                  " a = Add(x, c) y = Mul(a, m)")  # fmt: skip
    onnx.save(onnx.parser.parse_model(source), tmp_path / "model.onnx")
    steps, _ = TorchNetwork(tmp_path / "model.onnx", "cpu").trace({"x": torch.zeros(1, 4, 9, 7)})
    assert [step.node.kind for step in steps] == ["Add", "Mul"]
    monkeypatch.setattr(torch.Tensor, "to", None)
    for step in steps:
        step.run()


def test_an_output_of_another_shape_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(parsed(text("y = Relu(x)")), path)
    monkeypatch.setitem(OPERATORS, "Relu", lambda _, arguments: arguments[0][..., :3])
    with pytest.raises(ModelFailedError, match=r"'y' has the shape \(1, 4, 9, 3\) here, \(1, 4, 9, 7\) in ONNX"):
        TorchModel(ModelFile(path, path, (ModelInput("x", (1, 4, 9, 7), "float32"),)), "cpu")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [(None, "index 0"), ("1,0", "index 1"), ("GPU-abc, 0", "uuid GPU-abc"), ("", None), ("-1", None), ("MIG-x", None)],
)
def test_the_gpu_that_torch_takes(shown: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        NVML_CLOCK_SM = 1
        NVMLError = OSError
        nvmlInit = nvmlShutdown = staticmethod(lambda: None)  # noqa: N815 - the library's names
        nvmlDeviceGetHandleByIndex = staticmethod(lambda index: f"index {index}")  # noqa: N815
        nvmlDeviceGetHandleByUUID = staticmethod(lambda uuid: f"uuid {uuid}")  # noqa: N815
        nvmlDeviceGetClockInfo = staticmethod(lambda handle, kind: 345)  # noqa: N815
        nvmlDeviceGetName = staticmethod(lambda handle: handle)  # noqa: N815
        nvmlSystemGetDriverVersion = staticmethod(lambda: "580")  # noqa: N815

    monkeypatch.setitem(sys.modules, "pynvml", Library)
    monkeypatch.setattr(driver, "find_spec", lambda _: True)
    if shown is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    if expected is None:
        with pytest.raises(driver.NoGpuError, match=r"CUDA_VISIBLE_DEVICES=.* names no GPU"):
            driver.first_gpu()
    else:
        assert driver.first_gpu() == driver.Gpu(expected, "580", 345.0)
