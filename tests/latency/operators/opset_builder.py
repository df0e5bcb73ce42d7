"""Writes ONNX nodes as exporters wrote them in each opset: an axis is an attribute here and an input there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


class OpsetBuilder:
    """Collects the nodes of one net; every method returns the name of the tensor that it makes.

    Args:
        opset: 11 to 20.
        constant_nodes: constants are ``Constant`` nodes instead of initialisers.
    """

    def __init__(self, opset: int, *, constant_nodes: bool = False) -> None:
        self.opset = opset
        self._constant_nodes = constant_nodes
        self._random = np.random.default_rng(0)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        names = [f"{kind.lower()}_{len(self._nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0]

    def constant(self, values: NDArray[Any] | Sequence[int] | int | float) -> str:
        kind = np.int64 if not isinstance(values, float | np.ndarray) else np.float32
        array = values if isinstance(values, np.ndarray) else np.array(values, kind)
        if self._constant_nodes:
            return self.node("Constant", value=numpy_helper.from_array(array))
        name = f"constant_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *shape: int) -> str:
        return self.constant(self._random.standard_normal(shape).astype(np.float32) / 4)

    def convolution(
        self, x: str, before: int, after: int, *, kernel: int = 1, stride: int = 1, group: int = 1, norm: bool = False
    ) -> str:
        """Without bias where batch normalisation follows."""
        inputs = [x, self.weight(after, before // group, kernel, kernel), *([] if norm else [self.weight(after)])]
        pads = [kernel // 2] * 4
        y = self.node("Conv", *inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=group)
        if not norm:
            return y
        positive = np.abs(self._random.standard_normal((4, after))).astype(np.float32) + 0.1
        return self.node("BatchNormalization", y, *(self.constant(row) for row in positive), epsilon=1e-5)

    def hard_swish(self, x: str) -> str:
        """One node since opset 14."""
        if self.opset >= 14:
            return self.node("HardSwish", x)
        gate = self.node("Clip", self.node("Add", x, self.constant(3.0)), self.constant(0.0), self.constant(6.0))
        return self.node("Div", self.node("Mul", x, gate), self.constant(6.0))

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self.constant(0.0), self.constant(6.0))

    def gelu(self, x: str) -> str:
        """One node since opset 20."""
        if self.opset >= 20:
            return self.node("Gelu", x)
        error = self.node("Erf", self.node("Div", x, self.constant(float(np.sqrt(2)))))
        product = self.node("Mul", x, self.node("Add", error, self.constant(1.0)))
        return self.node("Mul", product, self.constant(0.5))

    def layer_norm(self, x: str, width: int) -> str:
        """One node since opset 17."""
        scale, shift = self.weight(width), self.weight(width)
        if self.opset >= 17:
            return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-5)
        centred = self.node("Sub", x, self.reduce_mean(x, [-1]))
        variance = self.reduce_mean(self.node("Pow", centred, self.constant(2.0)), [-1])
        deviation = self.node("Sqrt", self.node("Add", variance, self.constant(1e-5)))
        return self.node("Add", self.node("Mul", self.node("Div", centred, deviation), scale), shift)

    def reduce_mean(self, x: str, axes: Sequence[int], *, keep: int = 1) -> str:
        """Axes are an input since opset 18."""
        return self._with_axes("ReduceMean", x, axes, 18, keepdims=keep)

    def squeeze(self, x: str, axes: Sequence[int]) -> str:
        """Axes are an input since opset 13."""
        return self._with_axes("Squeeze", x, axes, 13)

    def unsqueeze(self, x: str, axes: Sequence[int]) -> str:
        """Axes are an input since opset 13."""
        return self._with_axes("Unsqueeze", x, axes, 13)

    def _with_axes(self, kind: str, x: str, axes: Sequence[int], since: int, **attributes: int) -> str:
        if self.opset < since:
            return self.node(kind, x, axes=list(axes), **attributes)
        return self.node(kind, x, self.constant(list(axes)), **attributes)

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Sizes are an input since opset 13; since opset 18 equal parts may be counted instead."""
        if self.opset < 13:
            self.node("Split", x, outputs=len(sizes), axis=axis, split=list(sizes))
        elif self.opset < 18:
            self.node("Split", x, self.constant(list(sizes)), outputs=len(sizes), axis=axis)
        else:
            self.node("Split", x, outputs=len(sizes), axis=axis, num_outputs=len(sizes))
        return list(self._nodes[-1].output)

    def dropout(self, x: str) -> str:
        """The ratio is an input since opset 12."""
        return self.node("Dropout", x, ratio=0.2) if self.opset < 12 else self.node("Dropout", x, self.constant(0.2))

    def side(self, x: str, axis: int) -> str:
        """One side of a tensor, computed at run time: ``Shape``, ``Gather``, ``Unsqueeze``."""
        return self.unsqueeze(self.node("Gather", self.node("Shape", x), self.constant(axis), axis=0), [0])

    def reshape(self, x: str, *sides: str | int) -> str:
        """To sides that are numbers or tensors of one number."""
        parts = [side if isinstance(side, str) else self.constant([side]) for side in sides]
        return self.node("Reshape", x, self.node("Concat", *parts, axis=0))

    def resize_like(self, x: str, other: str, mode: str = "linear") -> str:
        """To the height and width of another tensor, cut out of its shape at run time."""
        shape = self.node("Shape", other)
        space = self.node("Slice", shape, self.constant([2]), self.constant([4]), self.constant([0]))
        sizes = self.node(
            "Concat", self.side(x, 0), self.side(x, 1), self.node("Cast", space, to=TensorProto.INT64), axis=0
        )
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"} if mode == "nearest" else {}
        # Opset 11 demanded the region of interest; an empty one was written.
        region = self.constant(np.zeros(0, np.float32)) if self.opset < 13 else ""
        scales = self.constant(np.zeros(0, np.float32)) if self.opset < 13 else ""
        return self.node("Resize", x, region, scales, sizes, mode=mode, **how)

    def finish(self, output: str, input_shape: Sequence[int | str], *, rank: int) -> onnx.ModelProto:
        """One float32 input ``image``; of the output's shape only the rank is written down."""
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, input_shape)
        answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, [f"side_{axis}" for axis in range(rank)])
        graph = helper.make_graph(self._nodes, "net", [image], [answer], self._initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
