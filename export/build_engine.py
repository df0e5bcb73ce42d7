"""Builds the TensorRT engine of this bundle, verifies it and times it: ``python build_engine.py``.

Needs numpy and TensorRT 10, TensorRT 11 or TensorRT for RTX on the machine with the GPU. What a version offers is found
by looking, not by its number. ``--build-only`` needs no GPU where the library does not (TensorRT for RTX).
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import importlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
HERE = Path(__file__).resolve().parent
TENSOR = "tensor."
"""Begins the names in the file of the example."""
MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings.tensorrt_rtx")
NAMES = {
    "INT8": ("INT8",),
    "BF16": ("BF16", "BFLOAT16"),
    "HALF": ("FP16", "HALF", "FLOAT16"),
    "FLOAT": ("FP32", "FLOAT"),
}
"""How the inspector of one version or another calls a type of numbers; the first that fits counts."""
SMALLEST_IOU = 0.99
LARGEST_DIFFERENCE = {"FLOAT": 1e-3, "HALF": 1e-2, "BF16": 1e-1, "INT8": 1e-1}
"""In parts of an output's largest number; in the lower precisions about ten steps of the type."""
WARM_UP_RUNS, RUNS = 50, 300


def find_tensorrt() -> Any:
    """The first of the libraries that can be imported."""
    for name in MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    sys.exit(f"no TensorRT: none of {', '.join(MODULES)} can be imported; install TensorRT for Python")


def build(trt: Any, model: Path, cache: Path) -> tuple[bytes, str]:
    """The engine, and the type in which most of the network computes."""
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(creation_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(model)):
        sys.exit("; ".join(str(parser.get_error(number)) for number in range(parser.num_errors)))
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # float32 means float32
    timing = config.create_timing_cache(cache.read_bytes() if cache.is_file() else b"")
    config.set_timing_cache(timing, ignore_mismatch=False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        sys.exit("the builder made no engine")
    cache.write_bytes(bytes(memoryview(timing.serialize())))
    return bytes(memoryview(engine)), network_precision(network)


def creation_flags(trt: Any) -> int:
    """TensorRT 10 must be told that types are those of the file; 11 knows nothing else."""
    flag = getattr(getattr(trt, "NetworkDefinitionCreationFlag", None), "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def network_precision(network: Any) -> str:
    """``INT8`` of a quantised network; else ``HALF``, ``BF16`` or ``FLOAT``, the type of most tensors."""
    layers = [network.get_layer(number) for number in range(network.num_layers)]
    types = Counter(layer.get_output(0).dtype.name for layer in layers if layer.num_outputs)
    # Of each operator the file holds the input in eight bits and, for the builder to fuse, in float32.
    return "INT8" if types["INT8"] else max(NAMES, key=lambda name: types[name])


def engine_precision(information: str) -> str:
    """The same of the built engine, by the JSON of its inspector."""
    types = Counter(type_of(text.upper()) for text in types_in(json.loads(information).get("Layers", [])))
    return max(NAMES, key=lambda name: types[name])


def type_of(text: str) -> str:
    """The type that a text of the inspector names; empty for whole numbers."""
    return next((name for name, words in NAMES.items() if any(word in text for word in words)), "")


def types_in(value: Any) -> Iterator[str]:
    """The texts that name types, wherever they stand: ``Format/Datatype`` in version 10."""
    if isinstance(value, list):
        for each in value:
            yield from types_in(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str) and "datatype" in key.lower():
                yield each
            else:
                yield from types_in(each)


class Cuda:
    """The few calls of the CUDA runtime that are needed."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("cudart") or "libcudart.so"
        self._library = ctypes.CDLL(name)
        self.stream = ctypes.c_void_p()
        self.call("cudaStreamCreate", ctypes.byref(self.stream))

    def call(self, name: str, *arguments: object) -> None:
        """One call; ends the program where it fails."""
        if code := getattr(self._library, name)(*arguments):
            sys.exit(f"{name} failed with CUDA error {code}")

    def allocate(self, size: int) -> ctypes.c_void_p:
        """Memory of the GPU."""
        address = ctypes.c_void_p()
        self.call("cudaMalloc", ctypes.byref(address), ctypes.c_size_t(size))
        return address

    def copy(self, target: object, source: object, size: int) -> None:
        """To or from the GPU, by the addresses."""
        automatic = 4
        self.call("cudaMemcpy", target, source, ctypes.c_size_t(size), automatic)

    def wait(self) -> None:
        """Until the GPU has finished."""
        self.call("cudaStreamSynchronize", self.stream)


class Runner:
    """An engine with its buffers on the GPU."""

    def __init__(self, trt: Any, engine: Any, cuda: Cuda, arrays: Mapping[str, Array]) -> None:
        self._cuda = cuda
        self._context = engine.create_execution_context()
        self._outputs: dict[str, tuple[ctypes.c_void_p, Array]] = {}
        for number in range(engine.num_io_tensors):
            name = engine.get_tensor_name(number)
            feeds = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            array = np.ascontiguousarray(arrays[name])
            address = cuda.allocate(array.nbytes)
            self._context.set_tensor_address(name, address.value)
            if feeds:
                cuda.copy(address, array.ctypes.data_as(ctypes.c_void_p), array.nbytes)
            else:
                self._outputs[name] = (address, np.empty_like(array))

    def run(self) -> None:
        """One inference, until the GPU has finished."""
        if not self._context.execute_async_v3(self._cuda.stream.value):
            sys.exit("the engine does not run")
        self._cuda.wait()

    def outputs(self) -> dict[str, Array]:
        """What the last inference computed."""
        for address, array in self._outputs.values():
            self._cuda.copy(array.ctypes.data_as(ctypes.c_void_p), address, array.nbytes)
        return {name: array for name, (_, array) in self._outputs.items()}


def parity(expected: Mapping[str, Array], answers: Mapping[str, Array]) -> dict[str, float]:
    """Largest difference of an output and, of maps of classes, intersection over union of the first one's masks.

    The difference is in parts of the expected output's largest number, where that is above one.
    """
    # Unlike max, np.max keeps a NaN wherever it is.
    found = {"max_abs": float(np.max([difference(expected[name], answers[name]) for name in answers]))}
    first = next(iter(answers))
    if answers[first].ndim == 4:
        one, other = (np.argmax(arrays[first], axis=1) for arrays in (expected, answers))
        shares = [np.sum((one == k) & (other == k)) / np.sum((one == k) | (other == k)) for k in np.union1d(one, other)]
        found["mask_iou"] = float(np.mean(shares))
    return found


def difference(expected: Array, answer: Array) -> float:
    """The largest one of an output of any type."""
    one, other = expected.astype(np.float64), answer.astype(np.float64)
    return float(np.abs(one - other).max(initial=0) / np.abs(one).max(initial=1))


def is_equal(found: Mapping[str, float], precision: str) -> bool:
    """Whether the outputs agree, or of a lower precision the masks where there are some; NaN and infinity do not."""
    if precision == "FLOAT" or "mask_iou" not in found:
        near = found["max_abs"] <= LARGEST_DIFFERENCE[precision]
    else:
        near = bool(np.isfinite(found["max_abs"]))
    return near and found.get("mask_iou", 1.0) >= SMALLEST_IOU


def times_ms(runner: Runner) -> dict[str, float]:
    """Of a run whose input and output stay on the GPU."""
    samples = []
    for number in range(WARM_UP_RUNS + RUNS):
        start = time.perf_counter()
        runner.run()
        if number >= WARM_UP_RUNS:
            samples.append(1000 * (time.perf_counter() - start))
    return {f"p{share}_ms": float(np.percentile(samples, share)) for share in (10, 50, 90)}


def verify(trt: Any, content: bytes, wanted: str) -> dict[str, Any]:
    """Precision, outputs and times of the engine on this GPU; ends the program where one of the first two is wrong."""
    cuda = Cuda()
    engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(content)
    if engine is None:
        sys.exit("the engine was built for another GPU or version")
    information = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    found = engine_precision(information)
    if found != wanted:
        sys.exit(f"the engine computes in {found} and not in {wanted}")
    with np.load(HERE / "model.tensorrt.npz", allow_pickle=False) as stored:
        arrays = {name.removeprefix(TENSOR): stored[name] for name in stored.files}
    runner = Runner(trt, engine, cuda, arrays)
    runner.run()
    differences = parity(arrays, runner.outputs())
    if not is_equal(differences, wanted):
        sys.exit(f"the engine computes something else: {differences}")
    return {"precision": found, **differences, **times_ms(runner)}


def main() -> None:
    """Writes ``model.engine``; prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-only", action="store_true", help="do not run the engine")
    options = parser.parse_args()
    trt = find_tensorrt()
    content, wanted = build(trt, HERE / "model.tensorrt.onnx", HERE / "timing.cache")
    version = getattr(trt, "__version__", "unknown")
    report = {"library": trt.__name__, "version": version, "bytes": len(content), "executed": not options.build_only}
    if not options.build_only:
        report |= verify(trt, content, wanted)
    (HERE / "model.engine").write_bytes(content)  # none that computes something else
    json.dump(report, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
