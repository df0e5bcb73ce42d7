"""The ONNX file in half precision, or quantised to eight bits."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
from typing_extensions import override

from export.bundle.examples import natural_inputs
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.parity import Array
from export.source import Source
from foundation.plugin_options import PluginOptions


class ReducedOptions(PluginOptions):
    """Options of the formats of lower precision."""

    force: bool = False


class ReducedOnnxExporter(Exporter):
    """Base of the formats of lower precision; inputs and outputs are those of ``model.onnx``, in float32."""

    Options = ReducedOptions
    reads_onnx = False

    def __init__(self, *, force: bool = False) -> None:
        self.force = force

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        source.require_pictures(self.format)
        self.reduce(folder / "model.onnx", folder / self.file_name, source)
        return self.entry(folder)

    @abstractmethod
    def reduce(self, model: Path, path: Path, source: Source) -> None:
        """Writes ``model`` with lower precision to ``path``."""


class Float16OnnxExporter(ReducedOnnxExporter):
    """Weights and operators in half precision, by ONNX Runtime's own converter."""

    format = "onnx-fp16"
    file_name = "model_fp16.onnx"
    precision = "float16"
    note = "half precision, float input"

    @override
    def reduce(self, model: Path, path: Path, source: Source) -> None:
        onnx.save(in_half_precision(onnx.load(model)), path)


class Int8OnnxExporter(ReducedOnnxExporter):
    """Static quantisation by ONNX Runtime: QuantizeLinear and DequantizeLinear, int8 weights by channel.

    Ranges of the activations are those of a smooth picture and of the source's photographs.
    """

    format = "onnx-int8"
    file_name = "model_int8.onnx"
    precision = "int8"
    note = "quantised to eight bits, float input"

    @override
    def reduce(self, model: Path, path: Path, source: Source) -> None:
        quantise(model, path, source)


def in_half_precision(model: onnx.ModelProto, *, but: Sequence[str] = ()) -> onnx.ModelProto:
    """The model with weights and operators in float16, inputs and outputs as they were; ``model`` changes, too.

    Args:
        but: kinds of operators that stay in float32, beside those that ONNX Runtime leaves.
    """
    from onnx_ir.passes.common import TopologicalSortPass
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxscript import ir

    converted = convert_float_to_float16(model, keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *but])
    del converted.graph.value_info[:]  # it holds some of the types before the conversion
    reduced = ir.from_proto(converted)
    TopologicalSortPass()(reduced)  # the casts of the inputs stand at the end
    written: onnx.ModelProto = ir.to_proto(reduced)
    return written


def quantise(model: Path, path: Path, source: Source, options: Mapping[str, bool] | None = None) -> None:
    """Writes ``model`` in eight bits to ``path``.

    Args:
        options: ``extra_options`` of ``onnxruntime.quantization.quantize_static``.
    """
    from onnxruntime.quantization import QuantFormat, quantize_static

    with _quiet():
        quantize_static(
            str(model),
            str(path),
            _Inputs(natural_inputs(source)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            nodes_to_exclude=_grouped_transposed(onnx.load(model).graph.node),
            extra_options=dict(options or {}),
        )


class _Inputs:
    """What ``onnxruntime.quantization.CalibrationDataReader`` wants."""

    def __init__(self, inputs: Sequence[Mapping[str, Array]]) -> None:
        self._rest = iter(inputs)

    def get_next(self) -> Mapping[str, Array] | None:
        return next(self._rest, None)


def _grouped_transposed(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """ONNX Runtime 1.32 scales the bias of a grouped transposed convolution by the channels of one group, and fails."""
    groups = {node.name: next((a.i for a in node.attribute if a.name == "group"), 1) for node in nodes}
    return [node.name for node in nodes if node.op_type == "ConvTranspose" and groups[node.name] > 1]


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser recommends on the root logger to fold batch normalisation first, which is done."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
