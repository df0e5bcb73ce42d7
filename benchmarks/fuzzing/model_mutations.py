"""Random changes of ONNX models: of bytes, of fields, and constructs that describe much work in few bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

_SIDES = (0, -1, 1, 2, 3, 7, 64, 1000, 2**20, 2**31, 2**40, 2**62, -(2**63))
_INTS = (0, 1, -1, 2, 3, 5, 16, 255, 10**6, 2**31, -(2**31), 2**62, -(2**63))
_FLOATS = (0.0, -1.0, 0.5, 1e30, float("inf"), float("nan"))
_KINDS = (
    *("Relu", "Conv", "ConvTranspose", "Resize", "Reshape", "Concat", "Split", "Add", "MatMul", "Gemm", "Softmax"),
    *("Pad", "Slice", "Gather", "Tile", "Expand", "TopK", "NonZero", "Shape", "Cast", "Loop", "If", "Clip", "PRelu"),
    *("BatchNormalization", "MaxPool", "ReduceMean", "Squeeze", "Flatten", "DepthToSpace", "Einsum", "Where"),
)

Mutation = Callable[[onnx.ModelProto, Random], None]


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """Flips, cuts, doubles or inserts bytes."""
    data = bytearray(content)
    place = random.randrange(len(data))
    match random.randrange(4):
        case 0:
            for _ in range(random.choice((1, 2, 8, 64))):
                data[random.randrange(min(len(data), random.choice((400, len(data)))))] = random.randrange(256)
        case 1:
            del data[place:]
        case 2:
            data[place:place] = data[place : place + random.randrange(1, 200)]
        case _:
            data[place:place] = random.randbytes(random.randrange(1, 16))
    return bytes(data)


def _attribute(model: onnx.ModelProto, random: Random) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    node = random.choice(nodes)
    attribute = random.choice(node.attribute)
    values: list[Any] = [
        random.choice(_INTS),
        random.choice(_FLOATS),
        "text",
        [random.choice(_INTS) for _ in range(random.randrange(6))],
    ]
    if attribute.type == AttributeProto.INTS and attribute.ints and random.random() < 0.5:
        attribute.ints[random.randrange(len(attribute.ints))] = random.choice(_INTS)
        return
    name = attribute.name
    node.attribute.remove(attribute)
    if random.random() < 0.8:
        node.attribute.append(
            helper.make_attribute(name, random.choice(values), attr_type=None) if values[-1] else attribute
        )


def _shape(model: onnx.ModelProto, random: Random) -> None:
    graph = model.graph
    tensor = random.choice([*graph.input, *graph.output]).type.tensor_type
    if random.random() < 0.2:
        tensor.ClearField("shape")
    elif random.random() < 0.3:
        tensor.shape.dim.add(dim_value=random.choice(_SIDES))
    elif tensor.shape.dim:
        dim = random.choice(tensor.shape.dim)
        if random.random() < 0.3:
            dim.dim_param = random.choice(("n", "", "h"))
        else:
            dim.dim_value = random.choice(_SIDES)


def _type(model: onnx.ModelProto, random: Random) -> None:
    random.choice([*model.graph.input, *model.graph.output]).type.tensor_type.elem_type = random.randrange(30)


def _edge(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node)
    names = [name for each in model.graph.node for name in (*each.input, *each.output)] + ["", "nowhere"]
    side = node.input if node.input and random.random() < 0.8 else node.output
    if random.random() < 0.2:
        side.append(random.choice(names))
    elif side:
        side[random.randrange(len(side))] = random.choice(names)


def _kind(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice(model.graph.node)
    node.op_type = random.choice(_KINDS)
    if random.random() < 0.1:
        node.domain = random.choice(("com.microsoft", "ai.onnx", "ai.onnx.ml", "elsewhere"))


def _nodes(model: onnx.ModelProto, random: Random) -> None:
    nodes = list(model.graph.node)
    match random.randrange(3):
        case 0:
            nodes.remove(random.choice(nodes))
        case 1:
            nodes.append(random.choice(nodes))
        case _:
            random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _versions(model: onnx.ModelProto, random: Random) -> None:
    if random.random() < 0.6:
        model.opset_import[0].version = random.choice((*range(1, 32), -1, 2**40))
    else:
        model.ir_version = random.choice((*range(16), -1, 2**40))


def _weight(model: onnx.ModelProto, random: Random) -> None:
    if not model.graph.initializer:
        return
    tensor = random.choice(model.graph.initializer)
    match random.randrange(5):
        case 0 if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_SIDES)
        case 1:
            tensor.data_type = random.randrange(30)
        case 2:
            tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
        case 3:
            tensor.CopyFrom(numpy_helper.from_array(np.array(random.choice(_INTS[:9])), tensor.name))
        case _:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key in random.sample(("location", "offset", "length", "checksum"), 2):
                text = random.choice(
                    ("", "\0", "..", "/etc/passwd", "x", "-1", "0", "99999999999999999999", "net.onnx")
                )
                tensor.external_data.add(key=key, value=text)


def _huge_constant(model: onnx.ModelProto, random: Random) -> None:
    """Adds a constant that is large when it is computed to the first output."""
    number = random.choice((2**16, 2**24, 2**31, 2**40, -1))
    weights = {"f_n": np.array([number]), "f_one": np.ones(1, np.float32), "f_0": np.array(0), "f_1": np.array(1)}
    weights["f_v"] = np.array([0, 1], np.float32)
    weights["f_s"] = np.array(number)
    node = random.choice(
        (
            helper.make_node("Tile", ["f_one", "f_n"], ["f_big"]),
            helper.make_node("Expand", ["f_one", "f_n"], ["f_big"]),
            helper.make_node("ConstantOfShape", ["f_n"], ["f_big"]),
            helper.make_node("Range", ["f_0", "f_s", "f_1"], ["f_big"]),
            helper.make_node("OneHot", ["f_n", "f_s", "f_v"], ["f_big"]),
        )
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    model.graph.node.extend(
        [
            node,
            helper.make_node("ReduceMax", ["f_big"], ["f_m"], keepdims=0),
            helper.make_node("Cast", ["f_m"], ["f_c"], to=TensorProto.FLOAT),
            helper.make_node("Add", [model.graph.input[0].name, "f_c"], ["f_y"]),
        ]
    )
    model.graph.output.append(helper.make_empty_tensor_value_info("f_y"))


def _functions(model: onnx.ModelProto, random: Random) -> None:
    """Functions that call the next one twice."""
    depth, opsets = random.choice((2, 12, 30, 200)), [*model.opset_import, helper.make_opsetid("f", 1)]
    for level in range(depth):
        kind, domain = (f"F{level + 1}", "f") if level + 1 < depth else ("Relu", "")
        nodes = [helper.make_node(kind, [a], [b], domain=domain) for a, b in (("a", "b"), ("b", "c"))]
        model.functions.append(helper.make_function("f", f"F{level}", ["a"], ["c"], nodes, opsets))
    model.opset_import.append(helper.make_opsetid("f", 1))
    random.choice(model.graph.node).op_type = "Relu"
    model.graph.node.append(helper.make_node("F0", [model.graph.input[0].name], ["f_y"], domain="f"))
    model.graph.output.append(helper.make_empty_tensor_value_info("f_y"))


def _texts(model: onnx.ModelProto, random: Random) -> None:
    """Operators on constant texts."""
    model.graph.initializer.append(helper.make_tensor("f_t", TensorProto.STRING, [1], [b"a" * 40 + b"!"]))
    kind = random.choice(("RegexFullMatch", "StringConcat", "StringSplit", "StringNormalizer", "Identity", "Shape"))
    inputs = ["f_t", "f_t"] if kind == "StringConcat" else ["f_t"]
    attributes = {"pattern": "(a+)+b"} if kind == "RegexFullMatch" else {}
    model.graph.node.append(helper.make_node(kind, inputs, ["f_o"], **attributes))
    model.graph.output.append(helper.make_empty_tensor_value_info("f_o"))
    model.opset_import[0].version = random.choice((17, 20, 21))


def _chain(model: onnx.ModelProto, random: Random) -> None:
    """Many nodes in a row."""
    names = [model.graph.input[0].name, *(f"f_{n}" for n in range(random.choice((50, 500, 6000))))]
    kind = random.choice(("Relu", "Identity", "Neg", "Shape"))
    model.graph.node.extend(helper.make_node(kind, [a], [b]) for a, b in itertools.pairwise(names))
    model.graph.output.append(helper.make_empty_tensor_value_info(names[-1]))


def weights_elsewhere(model: onnx.ModelProto, file: str) -> None:
    """Moves the largest weights into a file of this name beside the model, which is not written."""
    tensors = [tensor for tensor in model.graph.initializer if tensor.raw_data]
    if tensors:
        tensor = max(tensors, key=lambda each: len(each.raw_data))
        for key, value in (("location", file), ("offset", "0"), ("length", str(len(tensor.raw_data)))):
            tensor.external_data.add(key=key, value=value)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.ClearField("raw_data")


def harmless(model: onnx.ModelProto, random: Random) -> None:
    """Changes texts that mean nothing; what the tool says of the net must stay."""
    for node in model.graph.node:
        node.name = f"{random.randrange(10**6)}"
        node.doc_string = "text"
    model.producer_name = random.choice(("", "x", "\n", "ü"))
    model.graph.name = random.choice(("", "y"))
    model.ir_version = random.choice((4, 7, 8, 9, 10, 14))
    model.metadata_props.add(key="key", value="value")


MUTATIONS: tuple[Mutation, ...] = (
    _attribute, _shape, _type, _edge, _kind, _nodes, _versions, _weight, _huge_constant, _functions, _texts, _chain,
)  # fmt: skip
