"""What the exporter of torch leaves undone in an ONNX graph: one kernel per operator, no left-over nodes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Changes ``model`` in place and returns it.

    Constants become initializers, identities are bypassed, batch normalisation behind a (transposed) convolution is
    folded into its weights, unused initializers go, and generated initializer names become the node's name plus
    ``.weight`` or ``.bias``.
    """
    graph = model.graph
    _constants_to_initializers(graph)
    _bypass_identities(graph)
    _fold_batch_norm(graph)
    _drop_unused_initializers(graph)
    _name_initializers(graph)
    return model


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if value is None:
            continue
        tensor = graph.initializer.add()
        tensor.CopyFrom(value)
        tensor.name = node.output[0]
        graph.node.remove(node)


def _bypass_identities(graph: onnx.GraphProto) -> None:
    outputs = {output.name for output in graph.output}
    for node in [node for node in graph.node if node.op_type == "Identity"]:
        if node.output[0] in outputs:
            continue
        _rename_inputs(graph, {node.output[0]: node.input[0]})
        graph.node.remove(node)


def _fold_batch_norm(graph: onnx.GraphProto) -> None:
    """Folds y = scale * (x - mean) / sqrt(var + epsilon) + shift into the convolution that alone produces x."""
    producers = {node.output[0]: node for node in graph.node}
    uses = Counter(name for node in graph.node for name in node.input)
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        convolution = producers.get(norm.input[0])
        if convolution is None or convolution.op_type not in ("Conv", "ConvTranspose") or uses[norm.input[0]] != 1:
            continue
        constants = _constants(graph, [*norm.input[1:], *convolution.input[1:]])
        if constants is None:
            continue
        scale, shift, mean, variance, weight, *bias = constants
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        # Double precision: the folded weights round once.
        factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        old_bias = bias[0].astype(np.float64) if bias else 0.0
        _set_weights(
            graph,
            convolution,
            _scaled(convolution, weight.astype(np.float64), factor),
            (old_bias - mean.astype(np.float64)) * factor + shift.astype(np.float64),
        )
        convolution.output[0] = norm.output[0]
        graph.node.remove(norm)


def _constants(graph: onnx.GraphProto, names: list[str]) -> list[NDArray[np.floating]] | None:
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    if any(name not in tensors for name in names):
        return None
    return [onnx.numpy_helper.to_array(tensors[name]) for name in names]


def _scaled(
    convolution: onnx.NodeProto, weight: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights times ``factor`` per output channel; Conv keeps them out x in/group, ConvTranspose in x out/group."""
    if convolution.op_type == "Conv":
        return weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    group = next((a.i for a in convolution.attribute if a.name == "group"), 1)
    grouped = weight.reshape(group, weight.shape[0] // group, *weight.shape[1:])
    scaled: NDArray[np.float64] = grouped * factor.reshape(group, 1, weight.shape[1], *[1] * (weight.ndim - 2))
    return scaled.reshape(weight.shape)


def _set_weights(
    graph: onnx.GraphProto, convolution: onnx.NodeProto, weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> None:
    image, *_ = convolution.input
    # New names: the exporter shares equal initializers between nodes.
    names = [f"{convolution.name}.weight", f"{convolution.name}.bias"]
    for name, values in zip(names, (weight, bias), strict=True):
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    del convolution.input[:]
    convolution.input.extend([image, *names])


def _drop_unused_initializers(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _name_initializers(graph: onnx.GraphProto) -> None:
    """The exporter's ``onnx::Conv_52`` counts nodes that are no longer there."""
    suffixes = {1: "weight", 2: "bias"}
    taken = {tensor.name for tensor in graph.initializer}
    names: dict[str, str] = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name.startswith("onnx::") and name in taken and name not in names:
                names[name] = f"{node.name}.{suffixes.get(index, f'input{index}')}"
    _rename_inputs(graph, names)
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)


def _rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in names:
                node.input[index] = names[name]
