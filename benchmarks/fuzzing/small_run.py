"""A small search on the simulated device, with its trained winner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import latseg
from latseg.run_handle import RunHandle

DEVICE = "simulated:noise=0.02"
_SEARCH: dict[str, Any] = {
    "sizes": ["128x128"],
    "evaluator": "supernet",
    "trials": 6,
    "calibration_nets": 3,
    "data": latseg.DataOptions(source="synthetic:12", size=(64, 64)),
    "training": latseg.TrainingOptions(
        teacher_epochs=0, supernet_steps=2, winner_epochs=1, scene_steps=0, batch_size=2, evaluation_images=2, threads=1
    ),
}


def small_run(workspace: Path, *, steps: int | None) -> RunHandle:
    """A run in a new workspace, whose first winner is trained; ``steps`` are those of the predictor."""
    shorten_fits(steps)
    opened = latseg.Workspace(workspace, on_warning=lambda _: None)
    device = opened.device(DEVICE)
    device.profile(models=24, operators=8, sizes=["128x128"])
    device.fit()
    run = opened.search(budgets={DEVICE: "2ms"}, **_SEARCH)
    run.train(run.winners[0])
    return run


def shorten_fits(steps: int | None) -> None:
    """From now on a predictor is trained for so many steps; None leaves them as they are."""
    from latency.fit import fit_device
    from latency.predictors.attention.training import TrainingSettings

    if steps:
        fit_device.__kwdefaults__["settings"] = TrainingSettings(steps=steps)
