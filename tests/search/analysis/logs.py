"""Synthetic logs: an even one without a fault, from which each test makes the fault that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from search.analysis.search_log import PARAMETERS, Cost, SearchLog
from search.run_config import RunConfig, TargetDevice, write_config

TRIALS, SLOTS = 200, 6


def even_log(trials: int = TRIALS, seed: int = 0, **changes: Any) -> SearchLog:
    """Uniform parameters and choices; quality rises a little, with noise, to the end."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {
        "name": "even",
        "numbers": np.arange(1, trials + 1),
        "quality": 0.5 + 0.1 * np.arange(trials) / trials + 0.02 * rng.random(trials),
        "costs": (Cost(PARAMETERS, "parameters, M", rng.uniform(1e5, 1.2e6, trials), None),),
        "slots": tuple(f"slot{i}" for i in range(SLOTS)),
        "choices": rng.integers(0, 4, (trials, SLOTS)),
    }
    return SearchLog(**{**values, **changes})


def parameters(*values: float, limit: float | None = None) -> tuple[Cost, ...]:
    return (Cost(PARAMETERS, "parameters, M", np.array(values), limit),)


def write_run(folder: Path, **changes: Any) -> Path:
    """``run.json`` of a search on a device ``a``, without trials."""
    target = TargetDevice(
        device="a", threads=1, maximum_ms=3.0, fingerprint="f", hardware="h", runtime="r", runtime_version="1",
        simulated=False,
    )  # fmt: skip
    config = RunConfig(
        run="some-run", created="", command="", space="toy", sizes=None, data="synthetic:8", data_size=(64, 64),
        data_count=None, resize_masks=False, classes=("a", "b"), targets=(target,), max_parameters=102, trials=5,
        winners=1, strategy="random", seed=0, effort={}, versions={},
    )  # fmt: skip
    write_config(folder, config.model_copy(update=changes))
    return folder
