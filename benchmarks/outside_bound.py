"""How much the bound must be widened for operators that no measured net had, on nets of many families.

Reads the stores of ``predictor_device.py``, fits as ``latseg fit`` does, and predicts the nets of ``outside_nets.py``:
before their operators were measured (never measured ones widen the bound), and after (those measured alone do). A net's
score is the widening that it needed, as a share of the predicted time of these operators. The 90th percentile of the
scores is what ``latency.calibration`` should say; its coverage is that of families left out. Writes
``benchmarks/results/outside_bound.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from outside_nets import NETS
from predictor_device import measure

from devices.registry import get_device
from latency.bounded import BoundedPredictor
from latency.calibration import ISOLATED_WIDENING, UNSEEN_WIDENING
from latency.conformal import ConformalQuantile
from latency.fit import fit_device
from provenance import RESULTS, provenance, write_result

ALPHA = 0.1
BEFORE, AFTER = "before profile --for", "after profile --for"
_MIN_SHARE = 0.05
"""Nets with less of their time in operators that widen the bound say nothing about the widening."""


@dataclass(frozen=True, slots=True)
class Row:
    """One net on one device."""

    device: str
    net: str
    family: str
    when: str
    measured_ms: float
    predicted_ms: float
    bound_ms: float
    """Without any widening."""
    unseen_ms: float
    isolated_ms: float

    @property
    def score(self) -> float:
        """Widening that was needed over the time of these operators; those measured alone count as usual before."""
        usual_ms = self.isolated_ms * ISOLATED_WIDENING if self.when == BEFORE else 0.0
        return (self.measured_ms - self.bound_ms - usual_ms) / self.telling_ms

    @property
    def telling_ms(self) -> float:
        """Of the operators whose widening is in question."""
        return self.unseen_ms if self.when == BEFORE else self.isolated_ms

    @property
    def held(self) -> bool:
        """Whether the bound as it is now holds."""
        widening_ms = self.unseen_ms * UNSEEN_WIDENING + self.isolated_ms * ISOLATED_WIDENING
        return self.measured_ms <= self.bound_ms + widening_ms


def rows_of(device: str, when: str, bounded: BoundedPredictor, nets: dict[str, tuple[Any, float]]) -> list[Row]:
    """The nets as this predictor sees them."""
    found = []
    for (name, (_, ms)), one in zip(nets.items(), bounded.predict([graph for graph, _ in nets.values()]), strict=True):
        unseen_ms, isolated_ms = (sum(one.operators_ms[k] for k in each) for each in (one.unseen, one.isolated))
        bound_ms = one.upper_ms - one.widening_ms
        family = NETS[name][0].__name__
        found.append(Row(device, name, family, when, ms, one.latency_ms, bound_ms, unseen_ms, isolated_ms))
    return found


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Errors, coverage as it is, and the widening that would have sufficed, with each family left out."""
    errors = [abs(row.predicted_ms / row.measured_ms - 1) for row in rows]
    telling = [row for row in rows if row.telling_ms >= _MIN_SHARE * row.predicted_ms]
    kept = []
    for row in telling:
        others = [other.score for other in telling if other.family != row.family]
        kept.append(row.score <= max(0.0, ConformalQuantile(others, ALPHA).value))
    return {
        "nets": len(rows),
        "mean_error_percent": round(float(100 * np.mean(errors)), 1),
        "median_error_percent": round(float(100 * np.median(errors)), 1),
        "bound_held_percent": round(float(100 * np.mean([row.held for row in rows])), 1),
        "widening_at_90_percent": round(ConformalQuantile([row.score for row in telling], ALPHA).value, 2),
        "bound_held_percent_with_widening_of_other_families": round(float(100 * np.mean(kept)), 1),
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="+", default=["cpu", "openvino"])
    parser.add_argument("--stores", nargs="+", type=Path, required=True, help="one for each device")
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="those of predictor_device.py")
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--operators", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS / "outside_bound.json")
    options = parser.parse_args()
    rows: list[Row] = []
    for name, store, seed in zip(options.devices, options.stores, options.seeds, strict=True):
        device = get_device(name)
        options.store, options.seed = store, seed
        data = measure(device, options)
        for when, samples in ((BEFORE, data.known), (AFTER, data.informed)):
            bounded = fit_device(samples, device.info(), seed=seed).predictor
            rows += rows_of(name, when, bounded, data.outside)
            print(f"{name}, {when}: fitted", file=sys.stderr)
    groups = {
        f"{device}, {when}": summary([row for row in rows if (row.device, row.when) == (device, when)])
        for device in options.devices
        for when in (BEFORE, AFTER)
    }
    together = {when: summary([row for row in rows if row.when == when]) for when in (BEFORE, AFTER)}
    document = {
        "benchmark": "outside_bound",
        "widening": {"never measured": UNSEEN_WIDENING, "measured alone": ISOLATED_WIDENING},
        "figures": {**groups, **{f"both devices, {when}": each for when, each in together.items()}},
        "rows": [{**asdict(row), "score": round(row.score, 3) if row.telling_ms else None} for row in rows],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
