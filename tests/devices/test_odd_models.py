"""Files as they are found in the wild: where their weights lie, what is fed, what the runtime reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from devices.backends.ort.device import CpuDevice
from devices.device import Candidate
from devices.input_values import encode_all
from devices.measurement import Measurement
from devices.model_file import check_model, read_model, sha256_of
from devices.model_inputs import random_inputs
from devices.prepared import prepare
from devices.profiled_model import load_named
from devices.protocol import MeasurementProtocol
from devices.shape_inputs import shape_deciding_inputs
from foundation.errors import UserError
from tests import odd_models as odd
from tests.shared_cases import shared_case

QUICK = MeasurementProtocol(block_ms=1.0, minimum_blocks=3, maximum_blocks=3, profile_runs=2)


def measured(path: Path, **given: object) -> Measurement:
    """What ONNX Runtime, in its worker, takes for a model."""
    candidate = Candidate("net", path, **given)  # type: ignore[arg-type]
    (result,) = CpuDevice().measure([candidate], nominal_reference_ms=1.0, protocol=QUICK)
    assert isinstance(result, Measurement), result
    return result


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as error:
        check_model(path)
    return str(error.value)


@pytest.mark.parametrize("side", [0, -1])
def test_the_runtime_gets_the_given_batch(tmp_path: Path, side: int) -> None:
    path = odd.saved(odd.conv_net((side, 3, 16, 16)), tmp_path)
    result = measured(path, input_shapes=(("x", (2, 3, 16, 16)),))
    assert result.input_shapes == ((2, 3, 16, 16),)
    assert result.model_sha256 == sha256_of(path)
    assert result.operators[-1].output_shape == (2, 2, 16, 16)


def test_the_copy_with_fixed_dimensions_ends_with_the_candidate(tmp_path: Path) -> None:
    path = odd.saved(odd.conv_net((0, 3, 16, 16)), tmp_path)
    prepared = prepare(Candidate("net", path, (("x", (1, 3, 16, 16)),)))
    copy = prepared.path
    assert [dim.dim_value for dim in read_model(copy).graph.input[0].type.tensor_type.shape.dim] == [1, 3, 16, 16]
    del prepared
    assert not copy.exists()


@pytest.mark.parametrize("name", ["zero", "minus_one", "zero_hw"])
def test_case_dynamic_dimensions(name: str) -> None:
    path = shared_case(f"01-dim-zero-or-minus-one/{name}.onnx")
    assert measured(path, input_shapes=(("x", (1, 3, 32, 32)),)).operators[-1].output_shape == (1, 2, 32, 32)


def test_given_values_are_fed(tmp_path: Path) -> None:
    path = odd.saved(odd.ratio_net(), tmp_path)
    small, large = (measured(path, input_values=encode_all({"ratio": np.array(ratio)})) for ratio in (0.5, 4.0))
    assert large.latency_ms > 2 * small.latency_ms


@pytest.mark.parametrize(
    ("value", "fed"), [(3, [3, 3]), ([4, 5], [4, 5]), (np.array([6, 7], np.int32), [6, 7]), (8.0, [8, 8])]
)
def test_values_fit_their_input(tmp_path: Path, value: object, fed: list[int]) -> None:
    net = odd.cast_net(TensorProto.INT64)
    net.graph.input[0].CopyFrom(odd.value("x", (2,), TensorProto.INT64))
    inputs = prepare(Candidate("net", odd.saved(net, tmp_path), (), encode_all({"x": np.asarray(value)}))).inputs
    array = random_inputs(inputs)["x"]
    assert array.dtype == np.int64
    assert array.tolist() == fed


@pytest.mark.parametrize("value", [0.5, "cat", [1, 2, 3], 2**70])
def test_values_that_do_not_fit(tmp_path: Path, value: object) -> None:
    net = odd.cast_net(TensorProto.INT64)
    net.graph.input[0].CopyFrom(odd.value("x", (2,), TensorProto.INT64))
    with pytest.raises(UserError, match="'x'"):
        prepare(Candidate("net", odd.saved(net, tmp_path), (), encode_all({"x": np.asarray(value, dtype=None)})))


def test_a_value_for_an_unknown_input(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ratios"):
        prepare(Candidate("net", odd.saved(odd.ratio_net(), tmp_path), (), encode_all({"ratios": np.array(1)})))


def test_inputs_whose_values_decide_sizes() -> None:
    assert shape_deciding_inputs(odd.ratio_net()) == ("ratio",)
    assert shape_deciding_inputs(odd.range_net()) == ("count",)
    assert shape_deciding_inputs(odd.conv_net()) == ()


def test_a_shape_of_an_input_is_no_value() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 4, 8] x, float[2, 4] w) => (float[4, 8] y) {
        s = Shape (w)
        r = Reshape (x, s)
        y = Relu (r)
    }"""
    assert shape_deciding_inputs(onnx.parser.parse_model(text)) == ()


@pytest.mark.parametrize(("name", "key"), [("ratio", "ratio"), ("size", "size"), ("topk", "k"), ("length", "len")])
def test_case_inputs_that_decide_sizes(name: str, key: str) -> None:
    assert shape_deciding_inputs(check_model(shared_case(f"02-ratio-input/{name}.onnx"))) == (key,)


@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "COMPLEX64"])
def test_types_that_cannot_be_fed_are_named(tmp_path: Path, kind: str) -> None:
    path = odd.saved(odd.cast_net(TensorProto.DataType.Value(kind)), tmp_path)
    with pytest.raises(UserError, match=rf"{kind.lower()[:6]}.*cannot be fed.*cast it inside"):
        prepare(Candidate("net", path))


@pytest.mark.parametrize("name", ["bfloat16", "float8", "int4", "uint4", "complex", "sequence", "optional"])
def test_case_types_that_cannot_be_fed(name: str) -> None:
    with pytest.raises(UserError, match=r"cannot be fed|expected a tensor"):
        prepare(Candidate("net", shared_case(f"03-input-types/{name}.onnx")))


def test_texts_are_fed(tmp_path: Path) -> None:
    assert measured(odd.saved(odd.text_net(), tmp_path)).latency_ms > 0


def test_an_answer_in_text_is_refused(tmp_path: Path) -> None:
    path = odd.saved(odd.text_answer(), tmp_path)
    with pytest.raises(UserError, match="an output is text"):
        CpuDevice().infer(path, {"x": np.zeros((1, 3, 32, 32), np.float32)})


@pytest.mark.parametrize("build", [odd.sparse_net, lambda: odd.conv_net(ir=3, listed=True)], ids=["sparse", "ir 3"])
def test_odd_weights_are_measured(tmp_path: Path, build: object) -> None:
    assert measured(odd.saved(build(), tmp_path)).operators  # type: ignore[operator]


def _hub(folder: Path) -> Path:
    """A cache of a model hub: files are kept by their hash, names are links."""
    blobs, snapshot = folder / "blobs", folder / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    odd.saved(odd.external_net("net.onnx.data"), blobs, "1111")
    (blobs / "2222").write_bytes(np.arange(16, dtype=np.float32).tobytes())
    (snapshot / "net.onnx").symlink_to("../../blobs/1111")
    (snapshot / "net.onnx.data").symlink_to("../../blobs/2222")
    return snapshot / "net.onnx"


def test_links_of_a_hub_cache(tmp_path: Path) -> None:
    path = _hub(tmp_path)
    check_model(path)
    assert measured(path).operators
    assert np.frombuffer(load_named(path)[0].graph.initializer[0].raw_data, np.float32).tolist() == list(range(16))


def test_case_hub_layout(tmp_path: Path) -> None:
    source = shared_case("05-external-data/hub/blobs/1111").parent
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    for name in ("1111", "2222"):
        (tmp_path / "blobs" / name).write_bytes((source / name).read_bytes())
    (snapshot / "model.onnx").symlink_to("../../blobs/1111")
    (snapshot / "model.onnx.data").symlink_to("../../blobs/2222")
    assert measured(snapshot / "model.onnx").operators


@pytest.mark.parametrize("link", [False, True])
def test_weights_outside_of_the_real_folder(tmp_path: Path, link: bool) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(64))
    if link:
        (folder / "weights").symlink_to("../secret")
    path = odd.saved(odd.external_net("weights" if link else "../secret"), folder)
    assert "inside" in refusal(path)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"offset": "x"}, "'x'"),
        ({"offset": "-4"}, "'-4'"),
        ({"length": "-5"}, "'-5'"),
        ({"length": "³"}, "'³'"),
        ({"length": "60"}, "64 bytes"),
        ({"offset": "4"}, "at least 68 bytes"),
        ({"offset": str(10**18)}, "at least"),
        ({"location": ""}, "location"),
        ({"location": "\0"}, "location"),
        ({"location": "."}, "folder"),
        ({"location": "pipe"}, "not a regular file"),
        ({"location": "/dev/zero"}, "inside"),
        ({"location": "a" * 5000}, "weight 'w'"),
    ],
)
def test_broken_entries_of_external_data(tmp_path: Path, entries: dict[str, str], said: str) -> None:
    (tmp_path / "weights").write_bytes(bytes(64))
    os.mkfifo(tmp_path / "pipe")
    assert said in refusal(odd.saved(odd.external_net(**{"location": "weights"} | entries), tmp_path))


def test_a_weight_without_a_location(tmp_path: Path) -> None:
    net = odd.external_net("weights")
    del net.graph.initializer[0].external_data[:]
    assert "location ''" in refusal(odd.saved(net, tmp_path))


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(odd.conv_net().SerializeToString().replace(b"Relu", b"R\xff\xfeu"))
    assert "op_type" in refusal(path)
    assert "UTF-8" in refusal(path)


def test_files_that_are_no_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.onnx")
    assert "not a regular file" in refusal(tmp_path / "net.onnx")
    assert "not a regular file" in refusal(Path("/dev/zero"))


def test_an_input_that_fills_the_memory(tmp_path: Path) -> None:
    path = odd.saved(odd.conv_net((1, 3, 10**6, 10**6)), tmp_path)
    with pytest.raises(UserError, match="1x3x1000000x1000000"):
        prepare(Candidate("net", path))
