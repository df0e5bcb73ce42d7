"""Builds small ONNX models node by node, with weights drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from latency.operators.node_writer import NodeWriter


class GraphBuilder:
    """Collects nodes and weights under names of its own; every method returns the name of the tensor it makes.

    Weights are He-scaled, so that activations stay in a normal range whatever the depth.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._writer = NodeWriter(self._random)

    def constant(self, values: NDArray[np.generic]) -> str:
        """Adds a weight with the given values."""
        return self._writer.constant(f"weight_{len(self._writer.weights)}", np.asarray(values))

    def weight(self, *shape: int, fan_in: int) -> str:
        """Adds a float32 weight drawn from a normal distribution of variance 2 / fan_in."""
        values = self._random.standard_normal(shape) * np.sqrt(2 / fan_in)
        return self.constant(values.astype(np.float32))

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Adds a node with one output."""
        output = f"{kind.lower()}_{len(self._writer.nodes)}"
        self._writer.node(kind, inputs, [output], **attributes)
        return output

    def convolution(
        self, x: str, in_channels: int, out_channels: int, *, kernel: int = 1, stride: int = 1, group: int = 1
    ) -> str:
        """Adds a convolution with bias that keeps the size (divided by ``stride``)."""
        fan_in = in_channels // group * kernel * kernel
        weight = self.weight(out_channels, in_channels // group, kernel, kernel, fan_in=fan_in)
        bias = self.weight(out_channels, fan_in=200)
        return self.node(
            "Conv",
            [x, weight, bias],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=group,
        )

    def squeeze_excitation(self, x: str, channels: int) -> str:
        """Adds global pooling, two 1 x 1 convolutions and the gate."""
        inner = max(8, channels // 4)
        gate = self.node("GlobalAveragePool", [x])
        gate = self.node("Relu", [self.convolution(gate, channels, inner)])
        gate = self.node("HardSigmoid", [self.convolution(gate, inner, channels)], alpha=1 / 6, beta=0.5)
        return self.node("Mul", [x, gate])

    def upsample(self, x: str, factor: int = 2) -> str:
        """Adds bilinear upsampling."""
        scales = self.constant(np.array([1, 1, factor, factor], np.float32))
        return self.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")

    def inverted_residual(
        self,
        x: str,
        in_channels: int,
        out_channels: int,
        *,
        expanded: int,
        kernel: int = 3,
        stride: int = 1,
        activation: str = "Relu",
        gate: bool = False,
    ) -> str:
        """Adds expand, depthwise, optional squeeze-and-excitation, project, and the residual where shapes allow it."""
        y = self.node(activation, [self.convolution(x, in_channels, expanded)])
        y = self.convolution(y, expanded, expanded, kernel=kernel, stride=stride, group=expanded)
        y = self.node(activation, [y])
        if gate:
            y = self.squeeze_excitation(y, expanded)
        y = self.convolution(y, expanded, out_channels)
        return self.node("Add", [x, y]) if in_channels == out_channels and stride == 1 else y

    def finish(
        self,
        output: str,
        input_shape: tuple[int | str, ...],
        output_shape: tuple[int | str, ...],
        *,
        input_name: str = "image",
        output_name: str = "logits",
    ) -> onnx.ModelProto:
        """Closes the graph: one float32 input, one float32 output; ``output`` must be the last node's tensor."""
        last = self._writer.nodes[-1]
        assert last.output[0] == output, "the output is made by the last node"
        last.output[0] = output_name
        return self._writer.model(
            [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, output_shape)],
        )
