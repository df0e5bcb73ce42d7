"""Calls of OpenVINO; its errors become ``ModelFailedError``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devices.model_inputs import Shape
from devices.worker.runtime import Array, ModelFailedError, one_line

if TYPE_CHECKING:
    import openvino


FLOAT32 = "f32"
BFLOAT16 = "bf16"


def settings(threads: int, precision: str, *, profiling: bool = False) -> dict[str, Any]:
    """Fixed threads and precision (bfloat16 is OpenVINO's default where the processor has it), one stream, no cache."""
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": "1",
        "PERFORMANCE_HINT": "LATENCY",
        "PERF_COUNT": profiling,
    }


def compile_model(model: str | bytes, shapes: Mapping[str, Shape], config: dict[str, Any]) -> openvino.CompiledModel:
    """Reads a model, fixes its input shapes where they are given, and compiles it for the CPU.

    Raises:
        ModelFailedError: OpenVINO refuses the model, or computes it in another precision.
    """
    import openvino

    core = openvino.Core()
    try:
        network = core.read_model(model)
        if shapes and any(each.get_partial_shape().is_dynamic for each in network.inputs):
            network.reshape({name: list(shape) for name, shape in shapes.items()})
        compiled = core.compile_model(network, "CPU", config)
    except (RuntimeError, ValueError) as error:
        raise ModelFailedError(_reason(error)) from error
    wanted, chosen = config["INFERENCE_PRECISION_HINT"], compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if chosen != wanted:  # it does so without a word
        raise ModelFailedError(f"OpenVINO takes {chosen} instead of {wanted} on this processor")
    return compiled


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
