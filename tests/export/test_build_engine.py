"""The program that builds an engine where the GPU is, with stand-ins for TensorRT and the GPU."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from export import build_engine
from export.build_engine import TENSOR, Array

VERSION_10 = {"Layers": [{"Name": "conv", "Outputs": [{"Name": "a", "Format/Datatype": "Channel major FP16 format"}]}]}
VERSION_11 = {"Layers": [{"Name": "conv", "Outputs": [{"Name": "a", "Datatype": "Half"}]}], "I/O Tensors": ["a"]}
SLOW = {"Layers": [{"Name": "conv", "Outputs": [{"Name": "a", "Format/Datatype": "Row major linear FP32"}]}]}


class HostMemory:
    """Stands in for ``Cuda``: the memory of the GPU is that of the process."""

    def __init__(self) -> None:
        self.stream = ctypes.c_void_p(7)
        self.kept: list[Any] = []

    def allocate(self, size: int) -> ctypes.c_void_p:
        self.kept.append(ctypes.create_string_buffer(size))
        return ctypes.c_void_p(ctypes.addressof(self.kept[-1]))

    def copy(self, target: Any, source: Any, size: int) -> None:
        ctypes.memmove(target, source, size)

    def wait(self) -> None:
        pass


class Engine:
    """Computes ``formula`` of its input ``image`` of 1 x 2 x 4 x 4."""

    def __init__(self, information: Mapping[str, Any], formula: Callable[[Array], Array]) -> None:
        self.information, self.formula = information, formula
        self.addresses: dict[str, int] = {}
        self.num_io_tensors = 2

    def get_tensor_name(self, number: int) -> str:
        return ("image", "logits")[number]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name == "image" else "out"

    def create_execution_context(self) -> Engine:
        return self

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        image, logits = (
            np.ctypeslib.as_array((ctypes.c_float * 32).from_address(self.addresses[name])).reshape(1, 2, 4, 4)
            for name in ("image", "logits")
        )
        logits[:] = self.formula(image)
        return stream == 7

    def create_engine_inspector(self) -> Engine:
        return self

    def get_engine_information(self, form: str) -> str:
        assert form == "json"
        return json.dumps(self.information)


@pytest.fixture
def verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Verifies an engine of a network in half precision that doubles its input."""
    image = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)
    np.savez(tmp_path / "model.tensorrt.npz", **{f"{TENSOR}image": image, f"{TENSOR}logits": 2 * image})
    monkeypatch.setattr(build_engine, "HERE", tmp_path)
    monkeypatch.setattr(build_engine, "Cuda", HostMemory)

    def verify(
        information: Mapping[str, Any] = VERSION_10,
        formula: Callable[[Array], Array] = lambda image: 2 * image,
        wanted: str = "HALF",
    ) -> dict[str, Any]:
        trt = SimpleNamespace(
            Logger=SimpleNamespace(WARNING=1),
            Runtime=lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda _: Engine(information, formula)),
            LayerInformationFormat=SimpleNamespace(JSON="json"),
            TensorIOMode=SimpleNamespace(INPUT="in"),
        )
        trt.Logger = type("Logger", (), {"WARNING": 1, "__init__": lambda self, _: None})
        return build_engine.verify(trt, b"engine", wanted)

    return verify


@pytest.mark.parametrize("information", [VERSION_10, VERSION_11])
def test_an_engine_that_agrees_is_timed(
    verified: Callable[..., dict[str, Any]], information: Mapping[str, Any]
) -> None:
    report = verified(information)
    assert (report["precision"], report["max_abs"], report["mask_iou"]) == ("HALF", 0, 1)
    assert 0 < report["p10_ms"] <= report["p50_ms"] <= report["p90_ms"]


def test_an_engine_of_another_precision_is_refused(verified: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(SystemExit, match="computes in FLOAT and not in HALF"):
        verified(SLOW)


def test_other_outputs_are_refused(verified: Callable[..., dict[str, Any]]) -> None:
    for formula in (lambda image: -image, lambda image: np.nan * image):
        with pytest.raises(SystemExit, match="computes something else"):
            verified(formula=formula)
    near = lambda image: 2 * image + 0.01  # noqa: E731
    assert verified(formula=near)["mask_iou"] == 1
    with pytest.raises(SystemExit, match="computes something else"):
        verified(SLOW, near, "FLOAT")


@pytest.mark.parametrize(
    ("precision", "near", "far"), [("FLOAT", 1e-4, 1e-2), ("HALF", 1e-3, 0.1), ("BF16", 0.01, 1), ("INT8", 0.01, 1)]
)
def test_outputs_that_are_no_maps_are_compared_by_size(precision: str, near: float, far: float) -> None:
    expected = {"scores": np.array([[1.0, -500.0]], np.float32), "size": np.array([3])}

    def agrees(scores: Array, size: int = 3) -> bool:
        found = build_engine.parity(expected, {"scores": scores, "size": np.array([size])})
        return build_engine.is_equal(found, precision)

    assert agrees(expected["scores"] * np.float32(1 + near))
    assert not agrees(expected["scores"] * np.float32(1 + far))
    assert not agrees(expected["scores"] * np.float32(np.nan))
    assert not agrees(expected["scores"], size=5)


def test_a_map_with_numbers_that_are_none_is_refused() -> None:
    expected = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)
    for wrong in (np.nan, np.inf):
        answer = expected.copy()
        np.put_along_axis(answer, expected.argmax(1)[:, None], wrong, 1)
        found = build_engine.parity({"logits": expected}, {"logits": answer})
        assert found["mask_iou"] == 1
        assert not build_engine.is_equal(found, "HALF")


@pytest.mark.parametrize(("kind", "step"), [(np.bool_, 1), (np.uint8, 1), (np.uint8, 255)])
def test_differences_of_any_type(kind: type[np.generic], step: int) -> None:
    low, high = np.array([0], kind), np.array([step], kind)
    assert build_engine.difference(low, high) == step
    assert build_engine.difference(high, low) == 1


def test_an_engine_that_computes_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_engine, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["build_engine.py"])
    monkeypatch.setattr(build_engine, "find_tensorrt", lambda: SimpleNamespace(__name__="tensorrt"))
    monkeypatch.setattr(build_engine, "build", lambda *_: (b"engine", "HALF"))
    monkeypatch.setattr(build_engine, "verify", lambda *_: sys.exit("the engine computes something else"))
    with pytest.raises(SystemExit, match="computes something else"):
        build_engine.main()
    assert not (tmp_path / "model.engine").exists()
    monkeypatch.setattr(build_engine, "verify", lambda *_: {})
    build_engine.main()
    assert (tmp_path / "model.engine").read_bytes() == b"engine"


def test_types_of_the_file_hold_in_every_version() -> None:
    flags = SimpleNamespace(STRONGLY_TYPED=1)
    assert build_engine.creation_flags(SimpleNamespace(NetworkDefinitionCreationFlag=flags)) == 2
    assert build_engine.creation_flags(SimpleNamespace(NetworkDefinitionCreationFlag=SimpleNamespace())) == 0
    assert build_engine.creation_flags(SimpleNamespace()) == 0


def test_the_precision_is_that_of_most_tensors() -> None:
    def layer(name: str) -> SimpleNamespace:
        tensor = SimpleNamespace(dtype=SimpleNamespace(name=name))
        return SimpleNamespace(num_outputs=1, get_output=lambda _: tensor)

    layers = [layer(name) for name in ("FLOAT", "HALF", "HALF", "INT64", "INT64", "INT64")]
    layers.append(SimpleNamespace(num_outputs=0))
    network = SimpleNamespace(num_layers=7, get_layer=layers.__getitem__)
    assert build_engine.network_precision(network) == "HALF"
    layers[-2] = layer("INT8")
    assert build_engine.network_precision(network) == "INT8"


def test_without_tensorrt_one_line_says_so() -> None:
    with pytest.raises(SystemExit, match="no TensorRT"):
        build_engine.find_tensorrt()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BFloat16", "BF16"),
        ("Int8", "INT8"),
        ("Row major linear BF16", "BF16"),
        ("Float16", "HALF"),
        ("Float", "FLOAT"),
        ("Int32", ""),
    ],
)
def test_names_of_types(text: str, name: str) -> None:
    assert build_engine.type_of(text.upper()) == name
