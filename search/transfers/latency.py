"""Latency of a net for another task: other classes change its head, so the winner's own latency does not count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from devices.device import Candidate, Device
from export.to_onnx import export_module
from foundation.progress import Progress
from latency.bounded import BoundedPredictor
from latency.measuring import measure_one
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.run_context import RunContext
from search.tasks.task import Task
from search.transfers.record import TransferLatency

PredictorOf = Callable[[Device], BoundedPredictor]


def measured_latencies(
    context: RunContext, task: Task, architecture: Architecture, module: nn.Module, file: Path
) -> tuple[TransferLatency, ...]:
    """Exports the net to ``file``, and measures it on every device of the run.

    Raises:
        UserError: a device cannot measure it.
    """
    targets, seed = context.config.targets, context.config.seed
    if targets:
        export_module(module, file, task.example_inputs(architecture))
    found = []
    for done, target in enumerate(targets):
        context.on_progress(Progress(f"measuring on {target.device}", done, len(targets)))
        candidate = Candidate(f"{architecture.id} for {task.describe()['task']}", file)
        measured = measure_one(context.devices[target.device], candidate, context.store, seed=seed).measurement
        found.append(
            TransferLatency(
                device=target.device,
                budget_ms=target.maximum_ms,
                latency_ms=measured.latency_ms,
                interval_ms=measured.interval_ms,
                simulated=measured.simulated,
            )
        )
    return tuple(found)


def predicted_latencies(
    context: RunContext, graph: OperatorGraph, predictor_of: PredictorOf
) -> tuple[TransferLatency, ...]:
    """Prediction and upper bound on every device of the run.

    Raises:
        UserError: a device has no predictor.
    """
    found = []
    for target in context.config.targets:
        (predicted,) = predictor_of(context.devices[target.device]).predict([graph])
        found.append(
            TransferLatency(
                device=target.device,
                budget_ms=target.maximum_ms,
                latency_ms=predicted.latency_ms,
                upper_ms=predicted.upper_ms,
                simulated=target.simulated,
            )
        )
    return tuple(found)
