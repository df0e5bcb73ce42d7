"""Operator graphs for tests: a small hand-made net, and random ones."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph, Shape

ACTIVATIONS = ("none", "relu", "hswish", "hsigmoid", "sigmoid", "clip", "leaky_relu", "silu", "tanh", "elu", "prelu")


def small_net(channels: int = 8, size: int = 32) -> OperatorGraph:
    """Stem, squeeze-and-excitation, residual, decoder with skip."""
    image, half, one = (1, 3, size, size), (1, channels, size // 2, size // 2), (1, channels, 1, 1)
    operators = (
        builders.convolution(image, channels, kernel=(3, 3), strides=(2, 2), activation="hswish"),
        builders.convolution(half, channels, kernel=(3, 3), group=channels, activation="relu"),
        builders.global_average_pool(half),
        builders.convolution(one, channels, kernel=(1, 1), activation="hsigmoid"),
        builders.elementwise("Mul", [half, one]),
        builders.elementwise("Add", [half, half]),
        builders.convolution(half, 2 * channels, kernel=(1, 1)),
        builders.concat([(1, 2 * channels, size // 2, size // 2), half]),
        builders.transposed_convolution((1, 3 * channels, size // 2, size // 2), 4, kernel=(4, 4), strides=(2, 2)),
        builders.resize((1, 4, size, size), (1, 4, 2 * size, 2 * size), "linear"),
    )
    inputs = ((-1,), (0,), (1,), (2,), (1, 3), (4, 0), (5,), (6, 0), (7,), (8,))
    return OperatorGraph(operators, inputs, (image,))


def random_graph(rng: Random, length: int) -> OperatorGraph:
    """A random net over every kind that the builders know, with skips and inputs of any order."""
    image = (1, rng.randint(1, 4), rng.randint(5, 20), rng.randint(5, 20))
    shapes: list[tuple[int, Shape]] = [(-1, image)]
    operators: list[Operator] = []
    inputs: list[tuple[int, ...]] = []
    while len(operators) < length:
        source, shape = shapes[-1] if rng.random() < 0.7 else rng.choice(shapes)
        operator, sources = _random_operator(rng, source, shape, shapes)
        shapes.append((len(operators), operator.output_shapes[0]))
        operators.append(operator)
        inputs.append(sources)
    return OperatorGraph(tuple(operators), tuple(inputs), (image,))


def random_graphs() -> st.SearchStrategy[OperatorGraph]:
    """Random nets for hypothesis."""
    return st.builds(lambda seed, length: random_graph(Random(seed), length), st.integers(0, 10**6), st.integers(1, 12))


def _random_operator(
    rng: Random, source: int, shape: Shape, shapes: list[tuple[int, Shape]]
) -> tuple[Operator, tuple[int, ...]]:
    channels, hw = shape[1], shape[2:]
    match rng.choice(["conv"] * 4 + ["transposed", "pool", "add", "mul", "concat", "resize", "shuffle", "activation"]):
        case "conv":
            return _random_convolution(rng, shape), (source,)
        case "transposed" if max(hw) <= 64:
            kernel, stride = rng.choice([(2, 2), (4, 2), (3, 2), (3, 1), (5, 3)])
            activation = rng.choice(ACTIVATIONS[:-1])
            return builders.transposed_convolution(
                shape, rng.randint(1, 6), kernel=(kernel, kernel), strides=(stride, stride), activation=activation
            ), (source,)
        case "pool":
            return builders.global_average_pool(shape), (source,)
        case "add":
            other, _ = rng.choice([entry for entry in shapes if entry[1] == shape])
            return builders.elementwise("Add", [shape, shape]), (other, source)
        case "mul":
            gates = [entry for entry in shapes if entry[1] == (1, channels, 1, 1)] or [(source, shape)]
            other, other_shape = rng.choice(gates)
            return builders.elementwise("Mul", [other_shape, shape]), (other, source)
        case "concat" if channels < 64:
            other, other_shape = rng.choice([entry for entry in shapes if entry[1][2:] == hw])
            return builders.concat([other_shape, shape]), (other, source)
        case "resize" if max(hw) <= 64:
            target = (1, channels, rng.randint(1, 2 * hw[0]), rng.randint(1, 2 * hw[1]))
            return builders.resize(shape, target, rng.choice(["linear", "nearest"])), (source,)
        case "shuffle" if channels % 4 == 0 and max(hw) <= 64:
            return builders.depth_to_space(shape, 2), (source,)
        case _:
            # Softmax is what no convolution takes up; a lone ReLU behind one would be fused.
            return builders.operator("Softmax", [("axis", 1)], [shape], [shape]), (source,)


def _random_convolution(rng: Random, shape: Shape) -> Operator:
    channels, hw = shape[1], shape[2:]
    depthwise = rng.random() < 0.4
    kernel, stride, dilation = rng.choice([1, 3, 5, 7, 2]), rng.choice([1, 1, 2]), rng.choice([1, 1, 2])
    activation = rng.choice(ACTIVATIONS)
    out_channels = channels if depthwise else rng.randint(1, 12)
    return builders.convolution(
        shape,
        out_channels,
        kernel=(kernel, kernel),
        strides=(stride, stride),
        dilations=(dilation, dilation),
        group=channels if depthwise else 1,
        activation=activation,
        output_hw=tuple(-(-side // stride) for side in hw),
        slopes=out_channels if activation == "prelu" else 0,
    )
