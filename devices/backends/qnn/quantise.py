"""A float model as the NPU computes it: quantised, activations to 16 bits and weights to 8, by QDQ nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from devices.worker.runtime import Array
from foundation.temporary_folder import TemporaryFolder

PART = "_part"
_QUANTISED = frozenset({"QuantizeLinear", "DequantizeLinear"})


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether the file already says how numbers are rounded."""
    return any(node.op_type in _QUANTISED for node in model.graph.node)


def quantise(model: onnx.ModelProto, examples: Sequence[Mapping[str, Array]], target: Path) -> None:
    """Writes the quantised model.

    Its constants are folded first: the quantiser would round the scales of a Resize that a ``Constant`` node makes, and
    nets whose biases come from ``Identity`` nodes are compiled, but wrongly. A node keeps its name; each of several
    nodes that stand for one is called after it, followed by ``PART`` and a number.

    Args:
        model: of float32, its nodes named.
        examples: inputs from which the ranges of all tensors are taken.
        target: the file to write.
    """
    from onnxruntime.quantization import QuantType, quantize
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    folded = _folded(model)
    _name_parts(folded.graph, {output: node.name for node in model.graph.node for output in node.output})
    config = get_qnn_qdq_config(
        folded, _reader(examples), activation_type=QuantType.QUInt16, weight_type=QuantType.QUInt8
    )
    quantize(folded, str(target), config)


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnxruntime

    with TemporaryFolder() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(folder.path / "folded.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _name_parts(graph: onnx.GraphProto, made_by: Mapping[str, str]) -> None:
    """Names the nodes that ONNX Runtime made; ``made_by`` gives the user's node by tensor."""
    read_by: dict[str, str] = {}
    for number, node in enumerate(reversed(graph.node)):
        if not node.name:
            made = node.output[0]
            known = made_by.get(made) or read_by.get(made, "")
            node.name = f"{known.partition(PART)[0]}{PART}{number}"
        read_by.update(dict.fromkeys(node.input, node.name))


def _reader(examples: Sequence[Mapping[str, Array]]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Examples(CalibrationDataReader):  # type: ignore[misc] # onnxruntime is not typed
        def __init__(self) -> None:
            self._rest: Iterator[Mapping[str, Array]] = iter(examples)

        def get_next(self) -> Mapping[str, Array] | None:
            return next(self._rest, None)

    return Examples()
