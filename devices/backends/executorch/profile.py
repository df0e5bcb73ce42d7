"""Operator times of ExecuTorch: its event trace (ETDump) of the whole net."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.backends.executorch.document import Operator, Step, read_document
from devices.model_file import read_model
from devices.model_inputs import tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.tensor_graph import TensorGraph
from devices.traced_runs import mean_times
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, ModelFailedError, ModelFile, OperatorProfile
from devices.xnnpack_kernels import operators_of_kernels
from foundation.temporary_folder import TemporaryFolder

SOURCE = "ExecuTorch ETDump"
_RUN, _OWN = "Execute", "OPERATOR_CALL"
_ROUNDED_DOWN_MS = 0.0005
"""XNNPACK gives whole microseconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """A kernel that ran; ``instruction`` counts up in a run, and all kernels of XNNPACK in one call have the same."""

    kernel: str
    ms: float
    instruction: int


def profile_model(file: ModelFile, program: Any, run: Callable[[], object], runs: int) -> OperatorProfile:
    """Runs a program that was loaded with a trace, and joins its kernels to the nodes of the user's model.

    Raises:
        ModelFailedError: ExecuTorch fails, or traces something else than the program.
    """
    model = read_model(file.onnx)
    if model.functions:  # the program knows positions among the nodes that they stand for
        return OperatorProfile("none for a file with functions")
    for _ in range(PROFILE_WARM_UP_RUNS + runs):
        run()
    with TemporaryFolder() as folder:
        path = folder.path / "trace.etdump"
        program.write_etdump_result_to_file(str(path))
        events = list(_events(path))[PROFILE_WARM_UP_RUNS:]
    operators, times = timed_operators(read_document(file.path).steps, events)
    nodes = executed_nodes(TensorGraph(model.graph), [each.name for each in model.graph.output], operators, times)
    shapes = tensor_shapes(model, {each.name: each.shape for each in file.inputs})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))


def timed_operators(
    steps: Sequence[Step], runs: Sequence[Sequence[Event]]
) -> tuple[list[Operator], list[tuple[str, float]]]:
    """The operators of a program, each with the names and the mean milliseconds of its kernels.

    Raises:
        ModelFailedError: the trace has another number of instructions than the program, or runs differ.
    """
    times = mean_times([[event.ms for event in run] for run in runs])
    instructions = sorted({event.instruction for event in runs[0]})
    if len(instructions) != len(steps):
        raise ModelFailedError(f"ExecuTorch traces {len(instructions)} instructions of {len(steps)}")
    operators: list[Operator] = []
    found: list[tuple[str, float]] = []
    for step, instruction in zip(steps, instructions, strict=True):
        ran = [(e, ms) for e, ms in zip(runs[0], times, strict=True) if e.instruction == instruction]
        kernels: list[list[str]] = [[] for _ in step.operators]
        spent = [0.0] * len(step.operators)
        places = operators_of_kernels([e.kernel for e, _ in ran], [each.kind for each in step.operators])
        for (event, ms), place in zip(ran, places, strict=True):
            kernels[place].append(event.kernel)
            spent[place] += ms + (_ROUNDED_DOWN_MS if step.delegated else 0.0)
        operators += step.operators
        found += [("+".join(dict.fromkeys(names)), ms) for names, ms in zip(kernels, spent, strict=True)]
    return operators, found


def executed_nodes(
    graph: TensorGraph, outputs: Sequence[str], operators: Sequence[Operator], times: Sequence[tuple[str, float]]
) -> list[ExecutedNode]:
    """The nodes of the user's model with their kernels; what is fused with the node before it has one row with it.

    Args:
        graph: of the user's model.
        outputs: of the user's model.
        operators: of the program.
        times: kernels and milliseconds of each operator. One that the compiler inserted belongs to the one before it.
    """
    kernels: dict[int, list[str]] = {}
    spent: dict[int, float] = {}
    node = next((each.node for each in operators if each.node is not None), 0)
    for operator, (names, ms) in zip(operators, times, strict=True):
        node = node if operator.node is None else operator.node
        kernels.setdefault(node, []).extend(filter(None, [names]))
        spent[node] = spent.get(node, 0.0) + ms
    rows = _rows(graph, outputs, {node for node, names in kernels.items() if not names})
    return _nodes(graph, {node: rows.get(node, node) for node in sorted(kernels)}, kernels, spent)


def _rows(graph: TensorGraph, outputs: Sequence[str], fused: set[int]) -> dict[int, int]:
    """For each node whose only reader is fused with it the last node of its row."""
    rows: dict[int, int] = {}
    for node in sorted(fused):
        read = [name for name in graph.nodes[node].input if name in graph.producers]
        if len(read) == 1 and read[0] not in outputs and graph.consumers[read[0]] == [node]:
            before = graph.producers[read[0]]
            rows = {each: node if last == before else last for each, last in rows.items()} | {before: node}
    return rows


def _nodes(
    graph: TensorGraph, rows: Mapping[int, int], kernels: Mapping[int, list[str]], spent: Mapping[int, float]
) -> list[ExecutedNode]:
    places = {last: place for place, last in enumerate(sorted(set(rows.values())))}
    found: list[ExecutedNode] = []
    for last in places:
        members = [node for node, row in rows.items() if row == last]
        inside = {name for node in members for name in graph.nodes[node].output}
        read = [name for node in members for name in graph.nodes[node].input if name not in inside]
        names = dict.fromkeys(name for node in members for name in kernels[node])
        sources = dict.fromkeys(source for name in read for source in _sources(graph, name, rows, places))
        outputs = tuple(name for name in graph.nodes[last].output if name)
        kernel = "+".join(names) or graph.nodes[last].op_type
        found.append(ExecutedNode(kernel, sum(spent[node] for node in members), tuple(sources), outputs))
    return found


def _sources(
    graph: TensorGraph, tensor: str, rows: Mapping[int, int], places: Mapping[int, int]
) -> Iterator[int | str]:
    """What makes a tensor: a row, or an input; nothing for what depends on weights and sizes alone."""
    if tensor in graph.inputs:
        yield tensor
    producer = graph.producers.get(tensor)
    if producer is None:
        return
    if producer in rows:
        yield places[rows[producer]]
    else:
        for name in graph.nodes[producer].input:
            yield from _sources(graph, name, rows, places)


def _events(path: Path) -> Iterator[list[Event]]:
    """The kernels of each run."""
    from executorch.devtools.etdump.serialize import deserialize_from_etdump_flatcc

    for run in deserialize_from_etdump_flatcc(path.read_bytes()).run_data:
        if run.name == _RUN:
            traced = [event.profile_event for event in run.events if event.profile_event]
            yield [
                Event(
                    (each.delegate_debug_id_str or each.name).partition(" #")[0],
                    (each.end_time - each.start_time) / 1e6,
                    each.instruction_id,
                )
                for each in traced
                if each.delegate_debug_id_str or each.name == _OWN
            ]
