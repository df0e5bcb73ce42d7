"""From a winner to the bundle that proves its promise. Importing this module loads torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from devices.device import Candidate
from export.bundle.certificate import Certificate, Refusal
from export.bundle.manifest import Manifest, Quality
from export.bundle.write import write_bundle
from export.source import Source
from export.to_onnx import export_onnx
from foundation.errors import UserError
from foundation.picture import Pixels
from latency.measuring import Measured, measure_one
from search.progress import Progress
from search.run_config import TargetDevice
from search.run_context import RunContext
from search.trial import Trial
from search.winners.proof import prove
from search.winners.training import checkpoint_of
from segmentation.evaluation import evaluate
from segmentation.networks.network import Network
from segmentation.normalisation import MEAN, STD
from segmentation.training.checkpoint import load_weights

_PARITY_PICTURES = 2


@dataclass(frozen=True, slots=True)
class ExportedWinner:
    """A bundle and why each device's budget is certified or not."""

    bundle: Path
    manifest: Manifest
    refusals: tuple[str, ...]
    """One line for each device whose budget the measurement did not prove; empty where the winner is certified."""


def export_winner(session: RunContext, trial: Trial, *, formats: Sequence[str], command: str) -> ExportedWinner:
    """Exports the trained net, measures that very file on every device of the budgets, and writes the bundle.

    Raises:
        UserError: the winner was not trained, a format is unknown, parity is lost, or a device cannot measure it.
    """
    network = trained_network(session, trial)
    targets = session.config.targets
    steps = len(targets) + 2
    session.on_progress(Progress("ONNX file", 0, steps))
    height, width = session.space.input_size(trial.architecture)
    model = session.folder.exported(trial.id)
    export_onnx(network, model, height=height, width=width, mean=MEAN, std=STD)
    judged = []
    for done, target in enumerate(targets, start=1):
        session.on_progress(Progress(f"measuring on {target.device}", done, steps))
        judged.append(_judge(session, target, Candidate(trial.id, model)))
    session.on_progress(Progress("quality, parity, bundle", steps - 1, steps))
    scores = evaluate(network, session.source.validation, (height, width))
    data = f"{session.source.name}, {scores.images} validation images"
    qualities = {"mean_iou": scores.mean_iou, "mean_f1": scores.mean_f1, "pixel_accuracy": scores.pixel_accuracy}
    pairs = zip(targets, judged, strict=True)
    refusals = tuple(f"{target.device}: {found.reason}" for target, found in pairs if isinstance(found, Refusal))
    bundle = session.folder.bundle(trial.id)
    bundle.parent.mkdir(parents=True, exist_ok=True)
    manifest = write_bundle(
        bundle,
        Source(
            network,
            {"image": torch.zeros(1, 3, height, width)},
            description={
                "task": "segmentation",
                "classes": list(session.config.classes),
                "normalisation": {"mean": list(MEAN), "std": list(STD)},
                "resize_policy": "resize",
            },
            photographs=_pictures(session),
            model_path=model,
            seed=session.config.seed,
        ),
        architecture=json.loads(trial.architecture.to_json()),
        parameters=trial.parameters,
        quality=[Quality(metric=name, value=value, data=data) for name, value in qualities.items()],
        certificates=[found for found in judged if isinstance(found, Certificate)],
        refusals=refusals,
        formats=formats,
        reproduce=command,
    )
    session.on_progress(Progress("done", steps, steps))
    return ExportedWinner(bundle, manifest, refusals)


def trained_network(session: RunContext, trial: Trial) -> nn.Module:
    """The winner's net with the weights of its full training, in evaluation mode.

    Raises:
        UserError: it was not trained yet, or not to the end.
        UserError: the checkpoint is damaged.
    """
    checkpoint = checkpoint_of(session, trial)
    if not checkpoint.exists():
        raise _untrained(session, trial, "no full training")
    network = Network(session.space.plan(trial.architecture, classes=len(session.config.classes)))
    document = load_weights(network, checkpoint)
    epochs, wanted = len(document["history"]), document["settings"]["epochs"]
    if epochs < wanted:
        raise _untrained(session, trial, f"{epochs} of {wanted} epochs of training")
    return network.eval()


def _untrained(session: RunContext, trial: Trial, seen: str) -> UserError:
    remedy = f"run `latseg train {session.config.run} --winner {trial.id}`, which goes on where it stopped"
    return UserError(f"winner {trial.id}", seen=seen, expected="trained weights", remedy=remedy)


def _judge(session: RunContext, target: TargetDevice, candidate: Candidate) -> Certificate | Refusal:
    device = session.devices[target.device]

    def measure(attempt: int) -> Measured:
        seed = session.config.seed + attempt
        return measure_one(device, candidate, session.store, seed=seed, source="winner")

    return prove(measure, budget_ms=target.maximum_ms)


def _pictures(session: RunContext) -> list[Pixels]:
    """A few validation images for the parity check; they do not enter the bundle."""
    images = [session.source.validation[i][0] for i in range(min(_PARITY_PICTURES, len(session.source.validation)))]
    return [np.asarray((255 * image).round().to(torch.uint8).permute(1, 2, 0)) for image in images]
