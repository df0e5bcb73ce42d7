"""A torch network as an ONNX file. Importing this module loads torch."""

from __future__ import annotations

import io
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx
import torch
from onnx_ir.passes import common as passes
from onnxscript import ir
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.rules.common import fuse_batchnorm_into_conv_transpose_rule, fuse_batchnorm_into_gemm_rule
from pydantic import Field
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from typing_extensions import override

from devices.model_file import read_model
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import INPUT_NAME, LOGITS_NAME, Source
from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.evaluation_mode import evaluation_mode
from foundation.plugin_options import PluginOptions

_logger = logging.getLogger(__name__)

MODEL_NAME = "model.onnx"
LOWEST_OPSET = 17
HIGHEST_OPSET = 20  # what torch's TorchScript exporter knows
_FOLDING = [fuse_batchnorm_into_conv_transpose_rule, fuse_batchnorm_into_gemm_rule]
"""The exporter itself folds batch normalisation into convolutions only."""


def export_module(
    module: nn.Module,
    path: Path,
    inputs: Mapping[str, Tensor],
    *,
    outputs: Sequence[str] = (LOGITS_NAME,),
    dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
    opset: int = LOWEST_OPSET,
) -> Path:
    """Writes ``module`` to ``path``, whole or not at all.

    It is exported in evaluation mode, and batch normalisation is folded where it can be. The same module gives the same
    bytes; the module's mode is left as it was.

    Args:
        module: the network.
        path: the ONNX file.
        inputs: one example of each input by its name, in the order in which ``module`` takes them.
        outputs: names of the outputs.
        dynamic_axes: names of the dimensions that stay open, by tensor and axis, such as ``{"image": {2: "height"}}``.
        opset: version of the ONNX operators.

    Raises:
        UserError: opset or size out of range.
        OSError: ``path`` cannot be written.
    """
    _check(inputs, opset)
    model = _trace(module, inputs, outputs=outputs, dynamic_axes=dynamic_axes, opset=opset)
    model = _cleaned(model)
    if dynamic_axes:
        _fix_sizes_of_outputs(model)
    _warn_of_unfolded(model)
    model.producer_name = model.graph.name = "latseg"
    model.producer_version = _version()
    content = _serialised(model)
    _logger.debug("exported %s: opset %d, %d bytes", path, opset, len(content))
    return write_file(Path(path), content)


class OnnxOptions(PluginOptions):
    """Options of the ONNX formats."""

    opset: int | None = Field(default=None, ge=LOWEST_OPSET, le=HIGHEST_OPSET)


class OpsetExporter(Exporter):
    """Base of the ONNX formats."""

    Options = OnnxOptions
    reads_onnx = False

    def __init__(self, *, opset: int | None = None) -> None:
        self.wanted_opset = opset
        self.opset = opset or LOWEST_OPSET


class OnnxExporter(OpsetExporter):
    """The network's own inputs and outputs, of fixed size; the file that is measured and certified."""

    format = "onnx"
    file_name = MODEL_NAME
    note = "float input, fixed size"

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        path = folder / self.file_name
        if source.model_path is not None:
            self._check_opset(source.model_path)
            # The certified file is the measured file, byte for byte.
            shutil.copyfile(source.model_path, path)
        else:
            export_module(source.module, path, source.inputs, opset=self.opset)
        return self.entry(folder)

    def _check_opset(self, measured: Path) -> None:
        if self.wanted_opset is None:
            return
        own = next((one.version for one in read_model(measured).opset_import if one.domain in ("", "ai.onnx")), None)
        if own != self.wanted_opset:
            raise UserError(
                f"option opset of the format {self.format}",
                seen=self.wanted_opset,
                expected=f"{own}, that of the file, which is not changed",
                remedy="leave the option out",
            )


class DynamicOnnxExporter(OpsetExporter):
    """A segmentation network whose height and width are open."""

    format = "onnx-dynamic"
    file_name = "model_dynamic.onnx"
    dynamic = True
    note = "float input, any size that the network's strides divide"

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        source.require_pictures(self.format)
        axes = {2: "height", 3: "width"}
        export_module(
            source.module,
            folder / self.file_name,
            source.inputs,
            dynamic_axes={INPUT_NAME: axes, LOGITS_NAME: axes},
            opset=self.opset,
        )
        return self.entry(folder)


def _check(inputs: Mapping[str, Tensor], opset: int) -> None:
    for name, tensor in inputs.items():
        if 0 in tensor.shape:
            raise UserError(
                f"input {name} of the export",
                seen=" x ".join(map(str, tensor.shape)),
                expected="positive sizes",
                remedy="give an example that is not empty",
            )
    if not LOWEST_OPSET <= opset <= HIGHEST_OPSET:
        raise UserError(
            "ONNX opset",
            seen=opset,
            expected=f"{LOWEST_OPSET} to {HIGHEST_OPSET}",
            remedy=f"use {LOWEST_OPSET} unless the runtime needs another",
        )


def _trace(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    *,
    outputs: Sequence[str],
    dynamic_axes: Mapping[str, Mapping[int, str]] | None,
    opset: int,
) -> onnx.ModelProto:
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    buffer = io.BytesIO()
    with evaluation_mode(module), torch.no_grad(), _quiet_exporter():
        # The TorchScript exporter makes the same graph as the dynamo one in a tenth of the time.
        torch.onnx.export(
            module,
            tuple(tensor.to(device) for tensor in inputs.values()),
            buffer,  # type: ignore[arg-type]  # the stub knows only paths; this exporter writes to streams too
            dynamo=False,
            opset_version=opset,
            do_constant_folding=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in (dynamic_axes or {}).items()},
        )
    return onnx.load_from_string(buffer.getvalue())


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silences what the exporter says about itself and nothing that it says about the network's operators."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*legacy TorchScript-based ONNX.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="The feature will be removed.*")
        warnings.filterwarnings("ignore", category=TracerWarning)
        yield


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """One operator per kernel: constants are initializers, batch normalisation is folded, nothing is unused."""
    _unshare_weights(model.graph)
    graph_model = ir.from_proto(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(graph_model)
    graph_model = rewrite(graph_model, _FOLDING)
    passes.ClearMetadataAndDocStringPass()(graph_model)
    for node in graph_model.graph:
        for value, role in zip(node.inputs, ("input", "weight", "bias"), strict=False):
            # The exporter's ``onnx::Conv_52`` counts nodes that are no longer there.
            if value is not None and value.name and value.name.startswith("onnx::") and value.is_initializer():
                value.name = f"{node.name}.{role}"
    return ir.to_proto(graph_model)


def _fix_sizes_of_outputs(model: onnx.ModelProto) -> None:
    """Names the sizes that follow from the inputs; the exporter leaves all of them open behind a resize to a size."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for output, known in zip(model.graph.output, inferred.graph.output, strict=True):
        output.CopyFrom(known)


def _unshare_weights(graph: onnx.GraphProto) -> None:
    """Gives each layer its own weights: the exporter shares equal ones through ``Identity``; folding changes them."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Identity" and node.input[0] in tensors]:
        copy = graph.initializer.add()
        copy.CopyFrom(tensors[node.input[0]])
        copy.name = node.output[0]
        tensors[copy.name] = copy
        graph.node.remove(node)


def _warn_of_unfolded(model: onnx.ModelProto) -> None:
    left = [node.name for node in model.graph.node if node.op_type == "BatchNormalization"]
    if left:
        _logger.warning(
            "batch normalisation costs time of its own: %s; put it directly behind a convolution or linear layer",
            ", ".join(left),
        )


def _version() -> str:
    try:
        return version("latseg")
    except PackageNotFoundError:  # run from a source tree
        return "0"


def _serialised(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
