"""Random nets and an additive law of latency, with neighbours that matter, to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from random import Random

import numpy as np

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph
from latency.sample import KernelTime, LatencySample


class _Net:
    def __init__(self, size: int) -> None:
        self.operators: list[Operator] = []
        self.inputs: list[tuple[int, ...]] = []
        self.input_shape = (1, 3, size, size)

    def shape(self, position: int) -> tuple[int, ...]:
        return self.input_shape if position < 0 else self.operators[position].output_shapes[0]

    def add(self, operator: Operator, *inputs: int) -> int:
        self.operators.append(operator)
        self.inputs.append(inputs)
        return len(self.operators) - 1

    def conv(self, x: int, channels: int, kernel: int = 1, stride: int = 1, activation: str = "relu") -> int:
        group = self.shape(x)[1] if channels == 0 else 1
        operator = builders.convolution(
            self.shape(x),
            channels or group,
            kernel=(kernel, kernel),
            strides=(stride, stride),
            group=group,
            activation=activation,
        )
        return self.add(operator, x)

    def graph(self) -> OperatorGraph:
        return OperatorGraph(tuple(self.operators), tuple(self.inputs), (self.input_shape,))


def random_graph(rng: Random, depth: int) -> OperatorGraph:
    """Inverted residual blocks with squeeze-and-excitation here and there, and a small decoder."""
    net = _Net(rng.choice((64, 96, 128)))
    x = skip = net.conv(-1, rng.choice((8, 16)), 3, 2)
    for _ in range(depth):
        source, width = x, rng.choice((16, 24, 32, 48))
        stride = 2 if rng.random() < 0.3 and net.shape(x)[2] > 16 else 1
        x = net.conv(x, net.shape(x)[1] * rng.choice((2, 3, 4)))
        x = net.conv(x, 0, rng.choice((3, 5)), stride, rng.choice(("relu", "hswish")))
        if rng.random() < 0.4:
            scale = net.conv(net.add(builders.global_average_pool(net.shape(x)), x), net.shape(x)[1], 1, 1, "hsigmoid")
            x = net.add(builders.elementwise("Mul", (net.shape(x), net.shape(scale))), x, scale)
        x = net.conv(x, width, activation="none")
        if net.shape(x) == net.shape(source):
            x = net.add(builders.elementwise("Add", (net.shape(x), net.shape(source))), x, source)
    target = net.shape(skip)
    x = net.add(builders.resize(net.shape(x), (1, net.shape(x)[1], *target[2:])), x)
    x = net.add(builders.concat((net.shape(x), target)), x, skip)
    net.conv(x, 2, activation="none")
    return net.graph()


def random_graphs(count: int, seed: int) -> list[OperatorGraph]:
    rng = Random(seed)
    return [random_graph(rng, 1 + index % 8) for index in range(count)]


def operator_ms(graph: OperatorGraph) -> list[float]:
    """The law: a roofline with kinds of different efficiency; a reader of a multiplication pays a layout change."""
    times = []
    for operator, sources in zip(graph.operators, graph.inputs, strict=True):
        depthwise = operator.kind == "Conv" and operator.attribute("group", 1) != 1
        flops_per_ms = 1e7 if depthwise else 4e7
        ms = operator.flops / flops_per_ms + (operator.bytes_read + operator.bytes_written) / 1.2e7 + 0.002
        if operator.attribute("activation", "none") == "hswish":
            ms *= 1.2
        if any(source >= 0 and graph.operators[source].kind == "Mul" for source in sources):
            ms *= 1.5
        times.append(ms)
    return times


def measured(
    graphs: Sequence[OperatorGraph], *, noise: float = 0.01, seed: int = 0, kernels: bool = True
) -> list[LatencySample]:
    """Samples under the law, with log-normal noise on every operator; an addition is fused into its first producer."""
    generator = np.random.default_rng(seed)
    samples = []
    for index, graph in enumerate(graphs):
        times = np.array(operator_ms(graph)) * np.exp(generator.normal(0, noise, len(graph.operators)))
        samples.append(
            LatencySample(f"net{index}", graph, float(times.sum()) + 0.005, _kernels(graph, times) if kernels else ())
        )
    return samples


def _kernels(graph: OperatorGraph, times: np.ndarray) -> tuple[KernelTime, ...]:
    fused = {
        min(sources): position
        for position, (operator, sources) in enumerate(zip(graph.operators, graph.inputs, strict=True))
        if operator.kind == "Add" and graph.operators[max(sources)].kind == "Conv"
        for sources in ((max(sources),),)
    }
    hidden = set(fused.values())
    rows = []
    for position in range(len(graph.operators)):
        if position not in hidden:
            members = (position, fused[position]) if position in fused else (position,)
            rows.append(KernelTime(members, float(times[list(members)].sum())))
    return tuple(rows)


def single_operators(graphs: Sequence[OperatorGraph], count: int, seed: int) -> list[LatencySample]:
    """Models of one operator, which cost a third more than within a net."""
    rng = Random(seed)
    different = sorted({operator for graph in graphs for operator in graph.operators}, key=repr)
    samples: list[LatencySample] = []
    for operator in rng.sample(different, count):
        inputs = tuple(-1 - index for index in range(len(operator.input_shapes)))
        graph = OperatorGraph((operator,), (inputs,), operator.input_shapes)
        ms = 1.33 * operator_ms(graph)[0]
        samples.append(LatencySample(f"op{len(samples)}", graph, ms, (KernelTime((0,), ms),), single_operator=True))
    return samples


def log_errors(predicted: Sequence[float], truth: Sequence[float]) -> list[float]:
    return [abs(log(first / second)) for first, second in zip(predicted, truth, strict=True)]
