"""Writes the graphs of published nets, which are all classifiers of images of 32 x 32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph, Shape

IMAGE = (1, 3, 32, 32)


@dataclass
class NetBuilder:
    """Appends operators, each to the positions of what it reads; -1 is the image. Every method returns a position."""

    operators: list[Operator] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)

    def add(self, operator: Operator, *inputs: int) -> int:
        """Any operator."""
        self.operators.append(operator)
        self.inputs.append(inputs)
        return len(self.operators) - 1

    def shape(self, position: int) -> Shape:
        """Of what the operator writes."""
        return IMAGE if position < 0 else self.operators[position].output_shapes[0]

    def convolution(
        self, x: int, channels: int, kernel: int, stride: int = 1, *, group: int = 1, activation: str = "none"
    ) -> int:
        """With the same kernel and stride in both directions."""
        sides = {"kernel": (kernel, kernel), "strides": (stride, stride)}
        return self.add(builders.convolution(self.shape(x), channels, group=group, activation=activation, **sides), x)

    def average_pool(self, x: int, kernel: int, stride: int) -> int:
        """Padded so that every side is divided by the stride."""
        shape = self.shape(x)
        output = (*shape[:2], *(side // stride for side in shape[2:]))
        attributes = (("kernel", (kernel, kernel)), ("strides", (stride, stride)))
        flops = kernel**2 * int(np.prod(output))
        return self.add(builders.operator("AveragePool", attributes, (shape,), (output,), flops=flops), x)

    def sum(self, terms: Sequence[int]) -> int:
        """Of one or more."""
        total = terms[0]
        for term in terms[1:]:
            total = self.add(builders.elementwise("Add", (self.shape(total), self.shape(term))), total, term)
        return total

    def classified(self, x: int, classes: int) -> OperatorGraph:
        """The finished net, with mean pooling and one linear layer."""
        pooled = self.add(builders.global_average_pool(self.shape(x)), x)
        answer = self.convolution(pooled, classes, 1)
        return OperatorGraph(tuple(self.operators), tuple(self.inputs), (IMAGE,), outputs=(answer,))
