"""What the rows of ``strategies.py`` say: means, differences from the baselines, goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from paired import beyond_chance, paired_difference
from scipy.stats import bootstrap

BASELINE, DEFAULT = "random", "evolution"
BASELINES = (BASELINE, "optuna:random")
"""They learn nothing: samples of the space, all depths equally frequent, and every slot uniformly."""
MEASURES = ("best_quality", "hypervolume")
COURSE = "course"
"""Of a row: evaluations, best quality and volume after so many evaluations."""
Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]
"""By strategy, seed by seed; where a strategy could not be used, with the key ``refused``."""


def summarised(rows: Rows) -> Row:
    """The part of the result that follows from the rows."""
    kept = {name: [row for row in each if "refused" not in row] for name, each in rows.items()}
    summaries = {name: summary(each) for name, each in kept.items() if each}
    differences = {baseline: paired(rows, baseline) for baseline in BASELINES if baseline in summaries}
    above = {measure: above_both(differences, measure) for measure in MEASURES}
    return {
        "summary": summaries,
        "paired": differences,
        "above_both_baselines": above,
        "goals": goals(summaries, above["best_quality"]),
    }


def summary(rows: Sequence[Row]) -> Row:
    """Mean of each number over the seeds, and 95 % intervals (percentile bootstrap)."""
    found: Row = {"seeds": len(rows)}
    for key in (key for key in rows[0] if key != COURSE):
        values = np.array([row[key] for row in rows], dtype=float)
        found[key] = round(float(values.mean()), 4)
        if len(rows) > 1 and key in (*MEASURES, "usable_share"):
            interval = bootstrap((values,), np.mean, method="percentile", rng=0).confidence_interval
            found[f"{key}_interval"] = [round(float(interval.low), 4), round(float(interval.high), 4)]
    return found


def paired(rows: Rows, baseline: str) -> dict[str, Row]:
    """By strategy and measure: what it gains over the baseline, over the seeds that both have; two at least."""
    found = {}
    for name, each in rows.items():
        pairs = [pair for pair in zip(each, rows[baseline], strict=False) if not any("refused" in row for row in pair)]
        if name != baseline and len(pairs) > 1:
            found[name] = {
                key: paired_difference([ours[key] for ours, _ in pairs], [base[key] for _, base in pairs])
                for key in MEASURES
            }
    return found


def above_both(differences: Mapping[str, dict[str, Row]], measure: str) -> list[str]:
    """Strategies that are above both baselines beyond chance; none where a baseline did not take part."""
    found = [{name for name, row in each.items() if beyond_chance(row[measure])} for each in differences.values()]
    return sorted(set.intersection(*found)) if len(found) == len(BASELINES) else []


def goals(summaries: dict[str, Row], above: Sequence[str]) -> list[Row]:
    """``above``: the strategies whose best quality is above both baselines beyond chance."""
    ours = {name: row for name, row in summaries.items() if "without repair" not in name}
    found = []
    if ours:
        least = min(row["usable_share"] for row in ours.values())
        found.append(
            {"what": "usable share of evaluations, with repair", "goal": "1", "value": least, "met": least == 1}
        )
    if BASELINE in ours:
        chance = ours[BASELINE]["best_quality"]
        others = [row["best_quality"] for name, row in ours.items() if name not in BASELINES]
        better = {
            "strategies better than random search": sum(quality > chance for quality in others),
            "strategies better than both that learn nothing, beyond chance": len(ours.keys() & set(above)),
        }
        found += [
            {"what": what, "goal": str(len(others)), "value": value, "met": value == len(others)}
            for what, value in better.items()
        ]
    if DEFAULT in ours:
        best = max(row["best_quality"] for row in summaries.values())
        lost = round(best - ours[DEFAULT]["best_quality"], 4)
        what = "best quality that the default strategy misses, of the best of all"
        found.append({"what": what, "goal": "<= 0.005", "value": lost, "met": lost <= 0.005})
    return found
