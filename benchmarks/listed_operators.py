"""What weights among the inputs cost single operators of ONNX Runtime, and whether the operator graph tells them.

Each operator with one of its weights listed among the inputs beside the same with constants only, timed in one group.
Writes ``benchmarks/results/listed_operators.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.parser import parse_model

from devices.device import Candidate, Device
from devices.registry import get_device
from latency.measuring import measure_together
from latency.operators.from_onnx import from_onnx
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "listed_operators.json"
SAME_TIME = 1.05
_QUANTISED = "(x, s, zero, w, s, zero_w, s, zero)"
_SEQUENCE, _STATES = "float[32,1,128] x", "float[?,?,?,?] y"
_IMAGE, _BYTES = "float[1,64,28,28] x", "uint8[1,64,28,28] x"

OPERATORS: dict[str, tuple[str, str, str, dict[str, tuple[int, ...]]]] = {
    "Conv": ("y = Conv<pads=[1,1,1,1]>(x, w, b)", _IMAGE, _STATES, {"w": (64, 64, 3, 3), "b": (64,)}),
    "ConvTranspose": ("y = ConvTranspose<strides=[2,2]>(x, w, b)", _IMAGE, _STATES, {"w": (64, 32, 2, 2), "b": (32,)}),
    "Gemm": ("y = Gemm(x, w, b)", "float[16,512] x", "float[?,?] y", {"w": (512, 512), "b": (512,)}),
    "MatMul": ("y = MatMul(x, w)", "float[16,512] x", "float[?,?] y", {"w": (512, 512)}),
    "LSTM": (
        "y = LSTM<hidden_size=128>(x, w, r, b)",
        _SEQUENCE,
        _STATES,
        {"w": (1, 512, 128), "r": (1, 512, 128), "b": (1, 1024)},
    ),
    "GRU": (
        "y = GRU<hidden_size=128>(x, w, r, b)",
        _SEQUENCE,
        _STATES,
        {"w": (1, 384, 128), "r": (1, 384, 128), "b": (1, 768)},
    ),
    "RNN": (
        "y = RNN<hidden_size=128>(x, w, r, b)",
        _SEQUENCE,
        _STATES,
        {"w": (1, 128, 128), "r": (1, 128, 128), "b": (1, 256)},
    ),
    "QLinearConv": (f"y = QLinearConv<pads=[1,1,1,1]>{_QUANTISED}", _BYTES, "uint8[?,?,?,?] y", {"w": (64, 64, 3, 3)}),
    "QLinearMatMul": (f"y = QLinearMatMul{_QUANTISED}", "uint8[16,512] x", "uint8[?,?] y", {"w": (512, 512)}),
    "MatMulInteger": ("y = MatMulInteger(x, w)", "uint8[16,512] x", "int32[?,?] y", {"w": (512, 512)}),
    "ConvInteger": ("y = ConvInteger<pads=[1,1,1,1]>(x, w)", _BYTES, "int32[?,?,?,?] y", {"w": (64, 64, 3, 3)}),
}
"""Name to node, input, output and shapes of weights, which are of int8 where the input is of uint8."""
_SETTINGS = {"s": np.float32(0.1), "zero": np.uint8(128), "zero_w": np.int8(0)}


def constant(name: str) -> onnx.ModelProto:
    """The operator with constant weights."""
    body, inputs, output, shapes = OPERATORS[name]
    made = parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g ({inputs}) => ({output}) {{ {body} }}')
    random = np.random.default_rng(0)
    weights: dict[str, NDArray[np.generic]] = {
        weight: random.integers(-128, 128, shape).astype(np.int8)
        if inputs.startswith("uint8")
        else (random.standard_normal(shape) / 16).astype(np.float32)
        for weight, shape in shapes.items()
    }
    settings = {key: np.asarray(value) for key, value in _SETTINGS.items() if key in made.graph.node[0].input}
    made.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in (weights | settings).items())
    return made


def listed(made: onnx.ModelProto, weight: str) -> onnx.ModelProto:
    """The same with one of its weights among the inputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(made)
    (tensor,) = (tensor for tensor in copy.graph.initializer if tensor.name == weight)
    copy.graph.input.append(helper.make_tensor_value_info(weight, tensor.data_type, tensor.dims))
    return copy


def rows_of(device: Device, name: str, folder: Path, store: MeasurementStore) -> list[dict[str, Any]]:
    """One row for each constant that may be listed."""
    made = constant(name)
    weights = [tensor.name for tensor in made.graph.initializer]
    models = {"constant": made, **{weight: listed(made, weight) for weight in weights}}
    candidates = [Candidate(label, folder / f"{label}.onnx") for label in models]
    for candidate, model in zip(candidates, models.values(), strict=True):
        onnx.save(model, candidate.path)
    first, *others = (one.latency_ms for one in measure_together(device, candidates, store))
    rows = []
    for weight, ms in zip(weights, others, strict=True):
        (operator,) = from_onnx(models[weight], listed_weights_are_inputs=True).operators
        slower, told = ms / first > SAME_TIME, operator.weights_are_inputs
        found = {"operator": name, "listed": weight, "constant_ms": round(first, 4), "listed_ms": round(ms, 4)}
        rows.append({**found, "times_as_long": round(ms / first, 2), "told": told, "right": told == slower})
    return rows


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--operators", nargs="+", default=list(OPERATORS))
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, MeasurementStore(Path(folder) / "it.sqlite") as store:
        for name in options.operators:
            rows += rows_of(get_device(options.device), name, Path(folder), store)
            print(*rows[-len(OPERATORS[name][3]) :], sep="\n", file=sys.stderr)
    wrong = sum(not row["right"] for row in rows)
    goal = {"what": "weights that are told wrongly", "goal": "0", "value": wrong, "met": wrong == 0}
    document = {"benchmark": "listed_operators", "same_time": SAME_TIME, "rows": rows, "goals": [goal]}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
