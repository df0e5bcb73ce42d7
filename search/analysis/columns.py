"""Which column of a log from elsewhere holds what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from foundation.errors import UserError

QUALITY = "quality"
PARAMETERS_COUNT = "parameters_count"
"""The column of parameters of ``trials.csv``."""
_MILLIONS = ("params_millions", "parameters_millions", "params_m")
NAMES: dict[str, tuple[str, ...]] = {
    "trial": ("trial", "candidate", "number", "step", "iteration"),
    QUALITY: ("quality", "reward", "score", "fitness", "mean_iou", "miou", "iou", "accuracy"),
    "parameters": (PARAMETERS_COUNT, "param_count", "parameters", "params", "num_params", *_MILLIONS),
    "latency": ("latency", "latency_ms", "predicted_ms", "upper_ms"),
    "measured": ("measured_ms", "measured_latency", "measured_latency_ms"),
    "seconds": ("seconds", "duration", "duration_s", "time_s"),
    "genotype": ("genotype", "architecture", "arch", "genes", "choices"),
    "strategy": ("strategy", "algorithm", "sampler"),
    "trained": ("trained", "trained_quality", "final_quality", "full_training"),
}
"""Names by which a column is found, by its role; case and signs do not matter, and earlier names go first."""


def find_columns(header: Sequence[str], given: Mapping[str, str]) -> dict[str, int]:
    """Position of the column of each role that the log has.

    Args:
        header: names of the columns.
        given: name of the column by role, where it is not guessed.

    Raises:
        UserError: no such role or column, or no column for quality.
    """
    for role, name in given.items():
        _check(role, name, header)
    plain = [_plain(name) for name in header]
    found = {role: header.index(name) for role, name in given.items()}
    for role, names in NAMES.items():
        free = (plain.index(name) for name in names if name in plain and plain.index(name) not in found.values())
        position = None if role in found else next(free, None)
        if position is not None:
            found[role] = position
    if QUALITY not in found:
        raise UserError(
            "columns of the log", seen=", ".join(header) or "none", expected=f"one of {', '.join(NAMES[QUALITY])}",
            remedy=f"name the one that the search maximised: --column {QUALITY}=NAME",
        )  # fmt: skip
    return found


def _check(role: str, name: str, header: Sequence[str]) -> None:
    if role not in NAMES:
        raise UserError("--column", seen=role, expected=f"one of {', '.join(NAMES)}", remedy="write ROLE=NAME")
    if name not in header:
        raise UserError(
            f"--column {role}",
            seen=name,
            expected=f"a column of the log: {', '.join(header)}",
            remedy="name one of these",
        )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
