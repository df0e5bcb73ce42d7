"""Operator times of LiteRT: those of its profiler in the whole net, joined by values to tensors of the user's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devices.backends.litert.net import TfliteNet, TfliteOperator, read_net
from devices.backends.litert.partitions import partitions
from devices.backends.litert.profiler import Event, ProfiledRun
from devices.backends.litert.session import LiteRtSession
from devices.layer_join import Layer, LayerGraph, LayerTime, executed_nodes
from devices.model_inputs import tensor_shapes
from devices.operator_join import join_rows, with_shapes
from devices.profiled_model import load_named
from devices.tensor_graph import TensorGraph
from devices.tensor_values import TensorFinder, tensor_values
from devices.traced_runs import mean_times
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, Array, ModelFailedError, ModelFile, OperatorProfile
from devices.xnnpack_kernels import operators_of_kernels

SOURCE = "LiteRT profiler"
_ROUNDED_DOWN_US = 0.5
"""The profiler gives whole microseconds."""


def profile_model(file: ModelFile, feeds: Mapping[str, Array], threads: int, runs: int) -> OperatorProfile:
    """Runs the model under the profiler and joins its kernels to the tensors of the user's model.

    Raises:
        ModelFailedError: this version of LiteRT has no profiler that is known here, or LiteRT or ONNX Runtime fails.
    """
    net = read_net(file.path)
    session = LiteRtSession(file.path, 1, keep_tensors=True)
    session.fill(feeds)
    session.run()
    with ProfiledRun(file.path, session.fed, threads) as profiled:
        events = [profiled.run() for _ in range(PROFILE_WARM_UP_RUNS + runs)][PROFILE_WARM_UP_RUNS:]
    model, _ = load_named(file.onnx)
    finder = TensorFinder(
        TensorGraph(model.graph), tensor_values(model, feeds), net.outputs.values(), channels_last=True
    )
    graph, times = timed_layers(net, events)
    nodes = executed_nodes(graph, times, finder, session.tensor)
    shapes = tensor_shapes(model, {name: array.shape for name, array in feeds.items()})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))


def timed_layers(net: TfliteNet, runs: Sequence[Sequence[Event]]) -> tuple[LayerGraph, list[LayerTime]]:
    """The operators of the file with the names and mean times of their kernels; none for one that was fused away.

    Raises:
        ModelFailedError: runs differ, or the profiler names what the file does not have.
    """
    times_us = mean_times([[event.us for event in run] for run in runs])
    kernels: list[list[str]] = [[] for _ in net.operators]
    times_ms = [0.0] * len(net.operators)
    for event, place, us in zip(runs[0], _places(net.operators, runs[0]), times_us, strict=True):
        kernels[place].append(event.kernel)
        times_ms[place] += (us + _ROUNDED_DOWN_US) / 1e3
    layers = tuple(
        Layer("+".join(dict.fromkeys(names)) or operator.kind, operator.inputs, operator.outputs)
        for operator, names in zip(net.operators, kernels, strict=True)
    )
    return LayerGraph(layers, net.inputs, net.outputs), [LayerTime(each) for each in times_ms]


def _places(operators: Sequence[TfliteOperator], events: Sequence[Event]) -> list[int]:
    """The operator of each event: LiteRT's own kernels name it, those of XNNPACK lie between two of these."""
    own = {event.operator for event in events if event.operator is not None}
    if max(own, default=-1) >= len(operators):
        raise ModelFailedError(f"the profiler names operator {max(own)} of {len(operators)}")
    groups = partitions(operators, own)
    group_of = {place: number for number, group in enumerate(groups) for place in group}
    found: list[int] = []
    before, waiting = -1, list[str]()
    for event in (*events, Event("", 0, len(operators))):
        if event.operator is None:
            waiting.append(event.kernel)
            continue
        here = group_of.get(event.operator, len(groups))
        between = [place for group in groups[before + 1 : here] for place in group]
        if waiting and not between:
            raise ModelFailedError(f"no operator is known for the kernel {waiting[0]!r}")
        kinds = [operators[place].kind for place in between]
        found += [*(between[place] for place in operators_of_kernels(waiting, kinds)), event.operator]
        before, waiting = here, []
    return found[:-1]
