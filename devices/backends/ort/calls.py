"""Calls of ONNX Runtime; its errors become ``ModelFailedError``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from devices.worker.runtime import Array, ModelFailedError, one_line

if TYPE_CHECKING:
    import onnxruntime


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Fixed threads, no spinning, every optimisation."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def open_session(
    model: str | bytes, options: onnxruntime.SessionOptions, *, without: Sequence[str] = ()
) -> onnxruntime.InferenceSession:
    """Loads a model on the CPU provider.

    Args:
        model: path or content.
        options: see ``session_options``.
        without: names of ONNX Runtime's optimisers that are left out.

    Raises:
        ModelFailedError: ONNX Runtime refuses the model.
    """
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
        )
    except Exception as error:  # onnxruntime raises classes of its own that share no public base
        raise ModelFailedError(one_line(error)) from error


def run_session(session: onnxruntime.InferenceSession, feeds: Mapping[str, Array]) -> list[Array]:
    """One inference.

    Raises:
        ModelFailedError: ONNX Runtime fails, for instance because memory runs out.
    """
    try:
        outputs: list[Array] = session.run(None, feeds)
    except Exception as error:  # as above: no public base class
        raise ModelFailedError(one_line(error)) from error
    return outputs
