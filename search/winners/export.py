"""From a trained winner to the bundle with its certificate. Importing this module loads torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from devices.device import Candidate
from export.bundle.certificate import Certificate, Refusal
from export.bundle.manifest import Manifest, Quality
from export.bundle.write import write_bundle
from export.source import Source
from export.to_onnx import export_module
from foundation.errors import UserError
from foundation.progress import Progress
from latency.measuring import Measured, measure_one
from search.architecture import Architecture
from search.run_config import TargetDevice
from search.run_context import RunContext
from search.shared_run import shared_run
from search.winners.certification import certify_file

_logger = logging.getLogger(__name__)


def export_winner(
    context: RunContext, architecture: Architecture, *, formats: Sequence[str], command: str, sign: Path | None = None
) -> Manifest:
    """Exports the trained net, measures that very file on every device of the budgets, and writes the bundle.

    The manifest names in ``refusals`` each device whose budget the measurement did not certify.

    Raises:
        UserError: there is no budget, the winner was not trained, a format is unknown, parity is lost, or a device
            cannot measure it.
    """
    task, targets, name = context.task, context.config.targets, architecture.id
    if not targets:
        raise UserError(
            "--max-latency", seen="none", expected="a latency limit for each --device",
            remedy="write for example --device cpu --max-latency 8ms",
        )  # fmt: skip
    module = trained_module(context, architecture)
    steps = len(targets) + 2
    context.on_progress(Progress("ONNX file", 0, steps))
    model = export_module(module, context.folder.exported(name), task.example_inputs(architecture))
    decisions = []
    for done, target in enumerate(targets, start=1):
        context.on_progress(Progress(f"measuring on {target.device}", done, steps))
        decisions.append(_certificate(context, target, Candidate(name, model)))
    context.on_progress(Progress("quality, parity, bundle", steps - 1, steps))
    scores = task.evaluate(architecture, module)
    shared = shared_run(context.config)
    data = f"{shared.data}, {scores.examples} validation examples"
    told = {key: shared.data if value == context.config.data else value for key, value in task.describe().items()}
    pairs = zip(targets, decisions, strict=True)
    refusals = tuple(f"{target.device}: {found.reason}" for target, found in pairs if isinstance(found, Refusal))
    bundle = context.folder.bundle(name)
    bundle.parent.mkdir(parents=True, exist_ok=True)
    manifest = write_bundle(
        bundle,
        Source(
            module,
            task.example_inputs(architecture),
            description=told,
            photographs=task.pictures(),
            model_path=model,
            seed=context.config.seed,
        ),
        architecture=json.loads(architecture.to_json()),
        parameters=context.space.parameters(architecture),
        quality=[Quality(metric=name, value=value, data=data) for name, value in scores.metrics.items()],
        certificates=[found for found in decisions if isinstance(found, Certificate)],
        refusals=refusals,
        formats=formats,
        reproduce=command,
        sign=sign,
        time_pipeline=not all(isinstance(found, Refusal) for found in decisions),
    )
    context.on_progress(Progress("done", steps, steps))
    return manifest


def trained_module(context: RunContext, architecture: Architecture) -> nn.Module:
    """The net with the weights of its full training, in evaluation mode.

    Raises:
        UserError: it was not trained yet, or not to the end, or the checkpoint is damaged.
    """
    checkpoint = context.folder.training(architecture.id)
    if not checkpoint.exists():
        raise UserError(
            f"winner {architecture.id}",
            seen="no full training",
            expected="trained weights",
            remedy=f"run `latseg train {context.config.run} --winner {architecture.id}`",
        )
    return context.task.load(architecture, checkpoint)


def _certificate(context: RunContext, target: TargetDevice, candidate: Candidate) -> Certificate | Refusal:
    device = context.devices[target.device]

    def measure(attempt: int) -> Measured:
        seed = context.config.seed + attempt
        return measure_one(device, candidate, context.store, seed=seed, source="winner")

    decision = certify_file(measure, budget_ms=target.maximum_ms)
    _logger.info(
        "%s on %s: %s",
        candidate.label,
        target.device,
        decision.statement if isinstance(decision, Certificate) else f"refused: {decision.reason}",
    )
    return decision
