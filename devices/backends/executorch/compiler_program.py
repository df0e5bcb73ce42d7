"""The compiler's process: ``python -m ... MODEL.onnx FEEDS.npz TARGET.pte``, in the installation ``executorch``.

The last line on stderr is the reason where it fails.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.fx.traceback import preserve_node_meta

from devices.backends.executorch.document import Document, Operator, Step, write_document
from devices.backends.executorch.exported_network import MARK, OnnxModule
from devices.model_file import read_model
from devices.model_inputs import data_inputs
from devices.worker.messages import read_arrays
from devices.worker.runtime import ModelFailedError, one_line

_KINDS = {
    "_softmax": "SOFTMAX", "add": "ADD", "addmm": "FULLY_CONNECTED", "avg_pool2d": "AVERAGE_POOL_2D",
    "bmm": "BATCH_MATMUL", "cat": "CONCATENATION", "clamp": "RELU", "constant_pad_nd": "PAD", "convolution": "CONV_2D",
    "div": "DIV", "hardswish": "HARD_SWISH", "hardtanh": "RELU", "linear": "FULLY_CONNECTED",
    "max_pool2d": "MAX_POOL_2D", "mean": "MEAN", "mm": "FULLY_CONNECTED", "mul": "MUL", "permute_copy": "TRANSPOSE",
    "relu": "RELU", "sigmoid": "LOGISTIC", "slice_copy": "SLICE", "sub": "SUB",
    "upsample_bilinear2d": "RESIZE_BILINEAR", "view_copy": "RESHAPE",
}  # fmt: skip
"""What TFLite calls the operators of torch for which XNNPACK has kernels."""
_CONVOLUTION, _TRANSPOSED = "convolution", 6
"""The argument that says whether a convolution is transposed."""


def main() -> None:
    """Entry point."""
    onnx, feeds, target = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    names = [each.name for each in data_inputs(read_model(onnx).graph)]
    inputs = {name: torch.from_numpy(array) for name, array in zip(names, read_arrays(feeds), strict=True)}
    try:
        content, steps = compiled(OnnxModule(onnx, inputs).eval(), tuple(inputs.values()))
    except ModelFailedError as error:
        sys.exit(f"\n{error}")
    target.write_bytes(content)
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in inputs.items())
    write_document(target, Document(shapes, steps))


def compiled(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[bytes, tuple[Step, ...]]:
    """The program of a module for XNNPACK, and its instructions.

    Raises:
        ModelFailedError: torch cannot export it, or ExecuTorch cannot lower it.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    try:
        with preserve_node_meta():
            exported = torch.export.export(module, inputs)
        lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
        content = bytes(lowered.to_executorch().buffer)
    except Exception as error:  # the compiler raises classes of its own, and whatever its passes do
        cause = error.__cause__ if isinstance(error.__cause__, ModelFailedError) else error
        raise ModelFailedError(one_line(cause)) from error
    return content, tuple(_steps(lowered.exported_program().graph_module))


def _steps(module: torch.fx.GraphModule) -> Iterator[Step]:
    for node in module.graph.nodes:
        if node.op != "call_function" or node.target.__name__ == "getitem":
            continue
        if "call_delegate" in str(node.target):
            taken = getattr(module, node.args[0].target).original_module
            inner = (each for each in taken.graph.nodes if each.op == "call_function")
            yield Step(True, tuple(_operator(each) for each in inner if each.target.__name__ != "getitem"))
        else:
            yield Step(False, (_operator(node),))


def _operator(node: Any) -> Operator:
    schema = getattr(node.target, "_schema", None)
    name = schema.name.partition("::")[2] if schema else str(node.target)
    kind = "TRANSPOSE_CONV" if name == _CONVOLUTION and node.args[_TRANSPOSED] else _KINDS.get(name, name.upper())
    return Operator(kind, (node.meta.get("custom") or {}).get(MARK))


if __name__ == "__main__":
    main()
