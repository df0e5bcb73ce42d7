"""Calls of OpenVINO; its errors become ``ModelFailedError``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devices.model_inputs import Shape
from devices.worker.runtime import Array, ModelFailedError, one_line

if TYPE_CHECKING:
    import openvino


def settings(threads: int, *, profiling: bool = False) -> dict[str, Any]:
    """Float32 (bfloat16 is the default where the processor has it), fixed threads, one stream, no cache."""
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": "1",
        "PERFORMANCE_HINT": "LATENCY",
        "PERF_COUNT": profiling,
    }


def compile_model(model: str | bytes, shapes: Mapping[str, Shape], config: dict[str, Any]) -> openvino.CompiledModel:
    """Reads a model, fixes its input shapes where they are given, and compiles it for the CPU.

    Raises:
        ModelFailedError: OpenVINO refuses the model.
    """
    import openvino

    core = openvino.Core()
    try:
        network = core.read_model(model)
        if shapes and any(each.get_partial_shape().is_dynamic for each in network.inputs):
            network.reshape({name: list(shape) for name, shape in shapes.items()})
        return core.compile_model(network, "CPU", config)
    except (RuntimeError, ValueError) as error:
        raise ModelFailedError(_reason(error)) from error


def infer(request: openvino.InferRequest, feeds: Mapping[str, Array]) -> list[Array]:
    """One inference; outputs in the model's order.

    Raises:
        ModelFailedError: OpenVINO fails.
    """
    try:
        return list(request.infer(feeds).values())
    except (RuntimeError, ValueError) as error:
        raise ModelFailedError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """OpenVINO's messages begin with places in its own sources; the reason follows them."""
    text = one_line(error)
    for marker in ("OpenVINO does not support", "Exception was", "Check '"):
        if marker in text:
            return text[text.index(marker) :]
    return text
