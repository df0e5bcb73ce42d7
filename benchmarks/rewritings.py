"""Other spellings of a net: ONNX models that compute the same and are written as other exporters write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[np.generic]
_LAYOUTS = ((0, 2, 3, 1), (0, 3, 1, 2))
"""To channels last, and back."""


@dataclass
class Rewriter:
    """A copy of a model whose nodes are replaced one by one."""

    model: onnx.ModelProto
    nodes: list[NodeProto] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.weights = {one.name: numpy_helper.to_array(one) for one in self.model.graph.initializer}

    def constant(self, values: Array) -> str:
        """Adds a weight."""
        name = f"rewritten_weight_{next(self._numbers)}"
        self.weights[name] = values
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: object) -> str:
        """Adds a node and returns the name of what it writes."""
        name = output or f"rewritten_{next(self._numbers)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def finished(self) -> onnx.ModelProto:
        """The model with the new nodes, without weights that nobody reads."""
        result = onnx.ModelProto()
        result.CopyFrom(self.model)
        del result.graph.node[:], result.graph.initializer[:], result.graph.value_info[:]
        result.graph.node.extend(self.nodes)
        read = {name for node in self.nodes for name in node.input}
        kept = [numpy_helper.from_array(values, name) for name, values in self.weights.items() if name in read]
        result.graph.initializer.extend(kept)
        onnx.checker.check_model(result)
        return result


Rewriting = Callable[[Rewriter, NodeProto], bool]
"""Writes a node in another way, or returns False to have it copied."""


def _attributes(node: NodeProto) -> dict[str, object]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def batch_norm_apart(to: Rewriter, node: NodeProto) -> bool:
    """Convolutions without bias, and batch normalisation."""
    if node.op_type != "Conv" or len(node.input) < 3:
        return False
    weight, bias = to.weights[node.input[1]], to.weights[node.input[2]].astype(np.float32)
    random = np.random.default_rng(len(to.nodes))
    scale = random.uniform(0.5, 1.5, len(bias)).astype(np.float32)
    mean, variance = np.zeros_like(bias), np.full_like(bias, 1 - 1e-5)
    divided = (weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
    x = to.add("Conv", [node.input[0], to.constant(divided)], **_attributes(node))
    parts = [to.constant(values) for values in (scale, bias, mean, variance)]
    to.add("BatchNormalization", [x, *parts], node.output[0], epsilon=1e-5)
    return True


def padding_apart(to: Rewriter, node: NodeProto) -> bool:
    """Convolutions that do not pad, after a node that does."""
    attributes = _attributes(node)
    pads = attributes.get("pads")
    if node.op_type != "Conv" or not isinstance(pads, list) or not any(pads):
        return False
    side = len(pads) // 2
    both = np.array([0, 0, *pads[:side], 0, 0, *pads[side:]], np.int64)
    x = to.add("Pad", [node.input[0], to.constant(both)])
    to.add("Conv", [x, *node.input[1:]], node.output[0], **{**attributes, "pads": [0] * len(pads)})
    return True


def activations_apart(to: Rewriter, node: NodeProto) -> bool:
    """ReLU as a limit, hard swish as a product."""
    if node.op_type == "Relu":
        to.add("Clip", [node.input[0], to.constant(np.array(0, np.float32))], node.output[0])
    elif node.op_type == "HardSwish":
        gate = to.add("HardSigmoid", node.input, alpha=1 / 6, beta=0.5)
        to.add("Mul", [node.input[0], gate], node.output[0])
    else:
        return False
    return True


def classifier_apart(to: Rewriter, node: NodeProto) -> bool:
    """The end of a classifier: mean over axes, reshape, product and sum."""
    if node.op_type == "GlobalAveragePool":
        to.add("ReduceMean", node.input, node.output[0], axes=[2, 3], keepdims=1)
    elif node.op_type == "Flatten":
        to.add("Reshape", [node.input[0], to.constant(np.array([1, -1], np.int64))], node.output[0])
    elif node.op_type == "Gemm" and not node.attribute:
        product = to.add("MatMul", node.input[:2])
        to.add("Add", [product, node.input[2]], node.output[0])
    else:
        return False
    return True


def identities(to: Rewriter, node: NodeProto) -> bool:
    """What training leaves behind: identities and dropout that is switched off."""
    if node.op_type not in ("Conv", "Relu"):
        return False
    x = to.add(node.op_type, node.input, **_attributes(node))
    to.add("Identity" if node.op_type == "Conv" else "Dropout", [x], node.output[0])
    return True


def half_weights(to: Rewriter, node: NodeProto) -> bool:
    """Weights stored with half precision, and cast when the model is loaded."""
    large = [name for name in node.input if name in to.weights and to.weights[name].dtype == np.float32]
    if node.op_type not in ("Conv", "Gemm", "ConvTranspose") or not large:
        return False
    cast = {
        name: to.add("Cast", [to.constant(to.weights[name].astype(np.float16))], to=TensorProto.FLOAT) for name in large
    }
    to.add(node.op_type, [cast.get(name, name) for name in node.input], node.output[0], **_attributes(node))
    return True


def channels_last(to: Rewriter, node: NodeProto) -> bool:
    """Convolutions and activations between transpositions that cancel, as converters from TensorFlow write them."""
    if node.op_type not in ("Conv", "MaxPool"):
        return False
    last, first = _LAYOUTS
    there = to.add("Transpose", [node.input[0]], perm=last)
    x = to.add("Transpose", [there], perm=first)
    to.add(node.op_type, [x, *node.input[1:]], node.output[0], **_attributes(node))
    return True


def automatic_padding(to: Rewriter, node: NodeProto) -> bool:
    """``auto_pad`` where it means the same."""
    attributes = _attributes(node)
    pads, kernel, strides = (attributes.get(name) for name in ("pads", "kernel_shape", "strides"))
    if node.op_type != "Conv" or not isinstance(pads, list) or not isinstance(kernel, list) or strides != [1, 1]:
        return False
    if pads != [side // 2 for side in kernel] * 2 or not all(side % 2 for side in kernel):
        return False
    kept = {name: value for name, value in attributes.items() if name != "pads"}
    to.add("Conv", node.input, node.output[0], **kept, auto_pad="SAME_UPPER")
    return True


def rewritten(model: onnx.ModelProto, rewriting: Rewriting) -> onnx.ModelProto | None:
    """The model in another spelling; None where there is nothing to write differently."""
    to = Rewriter(model)
    changed = False
    for node in model.graph.node:
        if rewriting(to, node):
            changed = True
        else:
            to.nodes.append(node)
    return to.finished() if changed else None


def old_opset(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Opset 11, in which many exporters still write; the operators of the nets are the same there."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.opset_import[0].version = 11
    try:
        onnx.checker.check_model(other, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    return other


def half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """All arithmetic with half precision; input and output stay float32."""
    to = Rewriter(model)
    to.weights = {
        name: values.astype(np.float16) if values.dtype == np.float32 else values for name, values in to.weights.items()
    }
    given, wanted = model.graph.input[0].name, model.graph.output[0].name
    to.add("Cast", [given], "half_input", to=TensorProto.FLOAT16)
    for node in model.graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        names = ["half_input" if name == given else name for name in node.input]
        if node.op_type == "Resize":
            scales = node.input[2]
            to.weights[scales] = to.weights[scales].astype(np.float32)
        del copy.input[:], copy.output[:]
        copy.input.extend(names)
        copy.output.extend(["half_output" if name == wanted else name for name in node.output])
        to.nodes.append(copy)
    to.add("Cast", ["half_output"], wanted, to=TensorProto.FLOAT)
    return to.finished()


def listed_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights listed among the inputs."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    weights = model.graph.initializer
    other.graph.input.extend(helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in weights)
    return other


SPELLINGS: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto | None]] = {
    "batch normalisation apart": lambda model: rewritten(model, batch_norm_apart),
    "padding apart": lambda model: rewritten(model, padding_apart),
    "automatic padding": lambda model: rewritten(model, automatic_padding),
    "activations apart": lambda model: rewritten(model, activations_apart),
    "classifier apart": lambda model: rewritten(model, classifier_apart),
    "identities and dropout": lambda model: rewritten(model, identities),
    "channels last": lambda model: rewritten(model, channels_last),
    "weights stored as halves": lambda model: rewritten(model, half_weights),
    "opset 11": old_opset,
    "half precision": half_precision,
    "weights among the inputs": listed_weights,
}
"""Name to what writes a model so; None where that changes nothing."""
