"""Exporters by format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from export.exporter import Exporter

EXPORTERS: Registry[Exporter] = Registry(
    kind="export format",
    group="latseg.exporters",
    base="export.exporter:Exporter",
    builtin={
        "onnx": "export.to_onnx:OnnxExporter",
        "onnx-dynamic": "export.to_onnx:DynamicOnnxExporter",
        "onnx-uint8": "export.to_onnx_uint8:Uint8OnnxExporter",
        "onnx-fp16": "export.to_reduced_onnx:Float16OnnxExporter",
        "onnx-int8": "export.to_reduced_onnx:Int8OnnxExporter",
        "executorch": "export.to_executorch:ExecuTorchExporter",
        "litert": "export.to_litert:LiteRtExporter",
        "mnn": "export.to_mnn:MnnExporter",
        "ncnn": "export.to_ncnn:NcnnExporter",
        "web": "export.to_web:WebExporter",
        "openvino": "export.to_openvino:OpenVinoExporter",
        "qnn": "export.to_qnn:QnnExporter",
        "tensorrt": "export.to_tensorrt:TensorRtExporter",
    },
)


def get_exporters(formats: Sequence[str]) -> list[Exporter]:
    """The exporters that ``formats`` name (``NAME[:KEY=VALUE,...]``), ``onnx`` first whether asked for or not.

    The other parts of a bundle need the ONNX file. The last mention of a format counts.

    Raises:
        UserError: no such format, or options that it does not have.
    """
    chosen: dict[str, Exporter] = {}
    for text in ("onnx", *formats):
        found, options = EXPORTERS.parse(text)
        chosen[text.partition(":")[0]] = found(**options)
    return list(chosen.values())
