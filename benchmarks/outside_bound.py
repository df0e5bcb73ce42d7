"""How much the bound must be widened on nets of many families, whose operators no net of the campaign had.

Reads the stores of ``predictor_device.py``, fits as ``latseg fit`` does, and predicts the nets of ``outside_nets.py``:
before their operators were measured, and after ``profile --for``. What each of the three widenings of
``latency.calibration`` would have to be for 90 % of the nets, the others as they are; how often the bound held; without
the widening for the known operators of foreign nets; and with that widening chosen on the other families only. Also
what the measured operators do to the fresh nets of the space. Writes ``benchmarks/results/outside_bound.json``.
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
from predictor_device import figures, measure

from devices.registry import get_device
from latency.bounded import BoundedPredictor
from latency.calibration import FOREIGN_WIDENING, ISOLATED_WIDENING, UNSEEN_WIDENING
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
    def others_ms(self) -> float:
        """Of operators that were measured in nets, and the overhead."""
        return self.predicted_ms - self.unseen_ms - self.isolated_ms

    def needed(self, part: str) -> float:
        """The widening of this part with which the bound would just hold; the others are as they are."""
        widening = {"unseen": UNSEEN_WIDENING, "isolated": ISOLATED_WIDENING, "others": FOREIGN_WIDENING}
        times = {"unseen": self.unseen_ms, "isolated": self.isolated_ms, "others": self.others_ms}
        rest_ms = sum(widening[name] * ms for name, ms in times.items() if name != part)
        return (self.measured_ms - self.bound_ms - rest_ms) / times[part]

    def held(self, foreign: float = FOREIGN_WIDENING) -> bool:
        """Whether the bound holds with this widening for the known operators of foreign nets."""
        return self.needed("others") <= foreign


def rows_of(device: str, when: str, bounded: BoundedPredictor, nets: dict[str, tuple[Any, float]]) -> list[Row]:
    """The nets as this predictor sees them."""
    found = []
    for (name, (_, ms)), one in zip(nets.items(), bounded.predict([graph for graph, _ in nets.values()]), strict=True):
        unseen_ms, isolated_ms = (sum(one.operators_ms[k] for k in each) for each in (one.unseen, one.isolated))
        bound_ms = one.upper_ms - one.widening_ms
        family = NETS[name][0].__name__
        found.append(Row(device, name, family, when, ms, one.latency_ms, bound_ms, unseen_ms, isolated_ms))
    return found


def needed(rows: Sequence[Row], part: str) -> float | None:
    """The widening of a part that suffices for 90 % of the nets in which it matters; None where there are none."""
    telling = [row for row in rows if getattr(row, f"{part}_ms") >= _MIN_SHARE * row.predicted_ms]
    if not telling:
        return None
    return ConformalQuantile([row.needed(part) for row in telling], ALPHA).value


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Errors, coverage and needed widenings."""
    errors = [abs(row.predicted_ms / row.measured_ms - 1) for row in rows]
    held_elsewhere = []
    for row in rows:
        chosen = needed([other for other in rows if other.family != row.family], "others")
        held_elsewhere.append(row.held(max(0.0, chosen or 0.0)))
    return {
        "nets": len(rows),
        "mean_error_percent": round(float(100 * np.mean(errors)), 1),
        "median_error_percent": round(float(100 * np.median(errors)), 1),
        "within_10_percent": round(float(100 * np.mean([error <= 0.1 for error in errors])), 1),
        "bound_held_percent": round(float(100 * np.mean([row.held() for row in rows])), 1),
        "bound_held_percent_without_foreign": round(float(100 * np.mean([row.held(0.0) for row in rows])), 1),
        "bound_held_percent_foreign_from_other_families": round(float(100 * np.mean(held_elsewhere)), 1),
        "needed_widening": {part: needed(rows, part) for part in ("unseen", "isolated", "others")},
    }


def goals(groups: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """After ``profile --for``."""
    found = []
    for name, each in groups.items():
        if not name.endswith(AFTER) or name.startswith("both"):
            continue
        error, held = each["mean_error_percent"], each["bound_held_percent"]
        found.append({"what": f"mean error, %, {name}", "goal": "<= 10", "value": error, "met": error <= 10})
        found.append({"what": f"bound held, %, {name}", "goal": ">= 90", "value": held, "met": held >= 90})
    return found


def stores_parser(description: str | None, result: Path) -> argparse.ArgumentParser:
    """Of a script that reads the stores of ``predictor_device.py``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--devices", nargs="+", default=["cpu", "openvino"])
    parser.add_argument("--stores", nargs="+", type=Path, required=True, help="one for each device")
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="those of predictor_device.py")
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--operators", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--output", type=Path, default=result)
    return parser


def main() -> None:
    """Entry point."""
    options = stores_parser(__doc__, RESULTS / "outside_bound.json").parse_args()
    rows: list[Row] = []
    fresh: dict[str, dict[str, float]] = {}
    for name, store, seed in zip(options.devices, options.stores, options.seeds, strict=True):
        device = get_device(name)
        options.store, options.seed = store, seed
        data = measure(device, options)
        for when, samples in ((BEFORE, data.known), (AFTER, data.informed)):
            bounded = fit_device(samples, device.info(), seed=seed).predictor
            rows += rows_of(name, when, bounded, data.outside)
            truth = [sample.latency_ms for sample in data.fresh]
            fresh[f"{name}, {when}"] = figures(bounded.predictor, [sample.graph for sample in data.fresh], truth)
            print(f"{name}, {when}: fitted", file=sys.stderr)
    groups = {
        f"{device}, {when}": summary([row for row in rows if (row.device, row.when) == (device, when)])
        for device in options.devices
        for when in (BEFORE, AFTER)
    }
    together = {when: summary([row for row in rows if row.when == when]) for when in (BEFORE, AFTER)}
    document = {
        "benchmark": "outside_bound",
        "widening": {"unseen": UNSEEN_WIDENING, "isolated": ISOLATED_WIDENING, "others": FOREIGN_WIDENING},
        "figures": {**groups, **{f"both devices, {when}": each for when, each in together.items()}},
        "fresh_nets_of_the_space": fresh,
        "rows": [{**asdict(row), "held": row.held()} for row in rows],
        "goals": goals(groups),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
