"""Operator times of MNN: clocks in the callbacks before and after each command of one session.

A command is named after an operator of the MNN file. Where an operator needs several commands, or where a tensor that
was only described so far (a view, a concatenation, another layout) is written for it, their names end with
``_raster_`` and a number (``OperatorInfo`` in ``source/core/Pipeline.cpp``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from devices.backends.mnn.net import MnnNet, MnnOperator, read_net
from devices.backends.mnn.session import MnnSession
from devices.model_file import read_model
from devices.model_inputs import Shape, tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.statistics import interquartile_mean
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, Array, ModelFile, OperatorProfile

SOURCE = "MNN callbacks"
_INNER_COMMAND = re.compile(r"(?P<operator>.+)_raster_\d+")


@dataclass(frozen=True, slots=True)
class Command:
    """What MNN runs at once: its name, kind, milliseconds and the shape of its first output."""

    name: str
    kind: str
    ms: float
    shape: Shape


def profile_model(file: ModelFile, feeds: Mapping[str, Array], threads: int, runs: int) -> OperatorProfile:
    """Runs the model with callbacks and joins the commands to the tensors of the user's model.

    Raises:
        ModelFailedError: MNN fails.
    """
    session = MnnSession(file.path, threads)
    session.fill(feeds)
    commands = _timed_commands(session, runs)
    model = read_model(file.onnx)
    shapes = tensor_shapes(model, {name: array.shape for name, array in feeds.items()})
    nodes = executed_nodes(TensorGraph(model.graph), read_net(file.path), commands, shapes)
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))


def _timed_commands(session: MnnSession, runs: int) -> list[Command]:
    """The commands of a run, in the order of execution, which is the same in every run."""
    described: list[tuple[str, str, Shape]] = []
    starts: list[int] = []
    ends: list[int] = []

    def describe(tensors: list[Any], command: Any) -> bool:
        shape = tuple(tensors[0].getShape()) if tensors else ()
        described.append((command.getName(), command.getType(), shape))
        return True

    def start(_tensors: list[Any], _command: Any) -> bool:
        starts.append(time.perf_counter_ns())
        return True

    def end(_tensors: list[Any], _command: Any) -> bool:
        ends.append(time.perf_counter_ns())
        return True

    session.run(lambda _tensors, _command: True, describe)
    for _ in range(PROFILE_WARM_UP_RUNS + runs):
        session.run(start, end)
    times = np.subtract(ends, starts).reshape(PROFILE_WARM_UP_RUNS + runs, -1)[PROFILE_WARM_UP_RUNS:]
    return [
        Command(name, kind, interquartile_mean(list(each)) / 1e6, shape)
        for (name, kind, shape), each in zip(described, times.T, strict=True)
    ]


def executed_nodes(
    user: TensorGraph, net: MnnNet, commands: list[Command], shapes: Mapping[str, Shape]
) -> list[ExecutedNode]:
    """The commands with their inputs and the tensors of the user's model that they make."""
    execution = _Execution(user, net, shapes)
    for command in commands:
        execution.add(command)
    return execution.nodes


class _Execution:
    """Follows the commands and knows which tensors of the MNN file were written so far."""

    def __init__(self, user: TensorGraph, net: MnnNet, shapes: Mapping[str, Shape]) -> None:
        self.nodes: list[ExecutedNode] = []
        self._user = user
        self._shapes = shapes
        self._operators = {operator.name: operator for operator in net.operators}
        self._producers = {name: operator for operator in net.operators for name in operator.outputs}
        self._readers = {name: operator for operator in reversed(net.operators) for name in operator.inputs}
        self._written: dict[str, int | str] = {name: name for name in net.inputs}

    def add(self, command: Command) -> None:
        operator = self._operators.get(command.name)
        if operator is None and (inner := _INNER_COMMAND.fullmatch(command.name)):
            operator = self._operators.get(inner["operator"])
            described = operator and self._described_input(operator, command.shape)
            if described:
                self._append(command, self._producers[described], (described,))
                return
        if operator is None:  # without a name; it belongs to what runs before it
            before = (len(self.nodes) - 1,) if self.nodes else ()
            self.nodes.append(ExecutedNode(command.kind, command.ms, before))
            return
        self._append(command, operator, operator.outputs)

    def _append(self, command: Command, operator: MnnOperator, made: tuple[str, ...]) -> None:
        sources = tuple(source for name in operator.inputs for source in self._sources(name))
        outputs = tuple(name for tensor in made for name in self._users_tensors(tensor))
        self._written.update(dict.fromkeys(made, len(self.nodes)))
        self.nodes.append(ExecutedNode(command.kind, command.ms, sources, tuple(dict.fromkeys(outputs))))

    def _sources(self, tensor: str) -> list[int | str]:
        """What was written and is read where ``tensor`` is read; nothing for a weight."""
        if tensor in self._written:
            return [self._written[tensor]]
        inputs = self._producers[tensor].inputs if tensor in self._producers else ()
        return list(dict.fromkeys(source for name in inputs for source in self._sources(name)))

    def _described_input(self, operator: MnnOperator, shape: Shape) -> str | None:
        """The first input of this shape that no command has written yet."""
        for name in operator.inputs:
            if name not in self._written and self._sources(name):
                users = self._users_tensors(name)
                if not users or self._shapes.get(users[0], shape) == shape:
                    return name
        return None

    def _users_tensors(self, tensor: str) -> tuple[str, ...]:
        """The tensor's name in the user's model; that of what reads it for one that the converter added."""
        producer = self._producers[tensor]
        if producer.converts_layout:
            (source,) = producer.inputs
            return () if source in self._written else self._users_tensors(source)
        reader = self._readers.get(tensor)
        names = [tensor, *(reader.outputs if reader and reader.converts_layout else ()), producer.name]
        known = next((name for name in names if name in self._user), None)
        if known or reader is None or reader.converts_layout:
            return (known,) if known else ()
        return self._users_tensors(reader.outputs[0])
