"""Calls of ncnn; its errors become ``ModelFailedError``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from devices.backends.ncnn.signature import Signature, read_signature
from devices.worker.runtime import Array, ModelFailedError

if TYPE_CHECKING:
    import ncnn

# Read by OpenMP when ncnn loads it: threads that wait actively take CPU time from the threads that compute.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

_HALF = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage")
"""Half precision, of which ncnn uses some by default: outputs differ by 1e-4."""


class Net:
    """A loaded net.

    Args:
        param: its file; weights and signature lie beside it.
        threads: of ncnn.

    Raises:
        ModelFailedError: ncnn cannot load it.
    """

    def __init__(self, param: Path, threads: int) -> None:
        self.signature: Signature = read_signature(param)
        self.net = empty_net(threads)
        for load, path in ((self.net.load_param, param), (self.net.load_model, param.with_suffix(".bin"))):
            if load(str(path)) != 0:
                raise ModelFailedError(f"ncnn cannot load {path.name}")

    def feeds(self, inputs: Mapping[str, Array]) -> list[ncnn.Mat]:
        """Inputs by the names of the ONNX model, as ncnn takes them."""
        import ncnn

        arrays = [as_fed(inputs[name]) for name, _ in self.signature.inputs]
        batches = zip(arrays, self.signature.input_batches, strict=True)
        # Copies: others use the memory of the array without holding it, and layers that work in place crash on them.
        return [ncnn.Mat(array, batch_index=batch).clone() for array, batch in batches]

    def run(self, feeds: Sequence[ncnn.Mat]) -> list[ncnn.Mat]:
        """One inference; outputs in the model's order.

        Raises:
            ModelFailedError: ncnn fails.
        """
        extractor = self.extractor(feeds)
        return [extract(extractor, f"out{index}") for index in range(len(self.signature.outputs))]

    def extractor(self, feeds: Sequence[ncnn.Mat]) -> ncnn.Extractor:
        """What one inference is made with; nothing is computed yet."""
        extractor = self.net.create_extractor()
        for index, mat in enumerate(feeds):
            if extractor.input(f"in{index}", mat) != 0:
                raise ModelFailedError(f"ncnn has no input in{index}")
        return extractor


def empty_net(threads: int) -> ncnn.Net:
    """A net without layers, in single precision."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in _HALF:
        setattr(net.opt, name, False)
    return net


def extract(extractor: ncnn.Extractor, blob: str | int, layout: int = 0) -> ncnn.Mat:
    """Computes what is missing to a blob.

    Args:
        extractor: of one inference.
        blob: name or position.
        layout: 0 brings the blob into the plain layout, 1 leaves it as its layer wrote it.

    Raises:
        ModelFailedError: a layer fails.
    """
    code, mat = extractor.extract(blob, layout)
    if code != 0:
        raise ModelFailedError(f"ncnn fails at blob {blob} with code {code}")
    return mat


def as_fed(array: Array) -> Array:
    """ncnn knows numbers of four bytes.

    Raises:
        ModelFailedError: a whole number does not fit.
    """
    kind = np.float32 if array.dtype.kind == "f" else np.int32
    fed = np.ascontiguousarray(array, kind)
    if kind is np.int32 and not np.array_equal(fed, array):
        raise ModelFailedError("an input has numbers that do not fit into int32")
    return fed
