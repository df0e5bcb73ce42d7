"""Measures the pipeline of a bundle: its own ``segment.py``, in fresh processes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from devices.hardware import cpu_name
from export.bundle.examples import smooth_picture
from export.bundle.pipeline import Pipeline, Times
from export.bundle.texts import SCRIPT_NAME
from foundation.temporary_folder import TemporaryFolder

_HEIGHT, _WIDTH, _QUALITY = 1080, 1920, 90
_NOISE = 3.0
"""Of a camera, so that the JPEG is as large as that of a photograph."""
_PROCESSES, _RUNS = 3, 5
_LIMIT_S = 300

_logger = logging.getLogger(__name__)


def pipeline_times(bundle: Path, threads: int) -> Pipeline | None:
    """Times of the script in a bundle that has its manifest; None, with a warning, where the script fails here."""
    with TemporaryFolder() as folder:
        picture = _photograph(folder.path)
        try:
            found = [_one_process(bundle, picture, threads) for _ in range(_PROCESSES)]
        except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
            reason = getattr(error, "stderr", "") or error
            _logger.warning("the pipeline was not timed: %s failed: %s", SCRIPT_NAME, reason)
            return None
    return _pipeline(found, threads)


def _photograph(folder: Path) -> Path:
    large = Image.fromarray(smooth_picture(_HEIGHT // 4, _WIDTH // 4, 0)).resize((_WIDTH, _HEIGHT))
    noise = np.random.default_rng(0).normal(0, _NOISE, (_HEIGHT, _WIDTH, 3))
    pixels = np.clip(np.asarray(large, np.float64) + noise, 0, 255).astype(np.uint8)
    path = folder / "picture.jpg"
    Image.fromarray(pixels).save(path, quality=_QUALITY)
    return path


def _one_process(bundle: Path, picture: Path, threads: int) -> dict[str, Any]:
    words = [bundle / SCRIPT_NAME, picture, "--threads", threads, "--times", _RUNS]
    started = time.time()
    run = subprocess.run(
        [sys.executable, "-I", *map(str, words)], capture_output=True, text=True, check=True, timeout=_LIMIT_S
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return {**found, "cold_start": 1000 * (found["answered_at"] - started)}


def _pipeline(found: Sequence[Mapping[str, Any]], threads: int) -> Pipeline:
    steps = {
        name: np.concatenate([one["steps"][name] for one in found]) for name in ("decode", "prepare", "net", "enlarge")
    }
    once = {name: np.array([one[name] for one in found]) for name in ("load", "cold_start")}
    total = np.sum([*steps.values()], axis=0)
    return Pipeline(
        machine=cpu_name(),
        threads=threads,
        picture=f"JPEG of {_WIDTH} x {_HEIGHT}",
        runs=len(total),
        processes=len(found),
        **{name: _times(values) for name, values in {**steps, **once, "total": total}.items()},
    )


def _times(values: NDArray[np.float64]) -> Times:
    low, middle, high = (round(float(one), 2) for one in np.percentile(values, (10, 50, 90)))
    return Times(median_ms=middle, low_ms=low, high_ms=high)
