"""The report's section on the trials: quality over latency."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from latseg.report.figures import TrialPoint, pareto_figure
from latseg.report.page import Section, figure
from latseg.units import format_count
from search.run_config import RunConfig, TargetDevice
from search.trial import CERTIFIED, EVALUATED, REJECTED, UNCERTIFIED, Trial

MOST_OTHERS = 2000
"""Nets in the plot that are neither on the front nor measured; a browser is slow with many more."""


def search_section(config: RunConfig, target: TargetDevice, trials: Sequence[Trial]) -> Section:
    """The trials with the front and the budget of one device; of very many, a random part is shown."""
    front = _front(target, trials)
    shown = _shown(trials, front)
    points = [_point(trials[position], target.device, on_front=position in front) for position in shown]
    lead = (
        f"Every dot is a net that the search evaluated; all of them kept the budgets of {target.maximum_ms:g} ms and "
        f"{format_count(config.max_parameters)} parameters by prediction before they were evaluated."
    )
    if len(shown) < len(trials):
        lead += (
            f" The plot shows {len(shown):,} of the {len(trials):,} nets: all on the front, all that were measured, "
            f"and {MOST_OTHERS:,} of the others, drawn at random."
        )
    return Section(
        f"The search on {target.device}", lead, figure(pareto_figure(points, target.device, target.maximum_ms))
    )


def _front(target: TargetDevice, trials: Sequence[Trial]) -> set[int]:
    import numpy as np

    from search.pareto import fronts

    rows = np.array([(-trial.quality, trial.upper_ms[target.device]) for trial in trials])
    return set(fronts(rows, least=1)[0].tolist())


def _shown(trials: Sequence[Trial], front: Collection[int]) -> list[int]:
    """Positions in their order."""
    others = [i for i, trial in enumerate(trials) if trial.status == EVALUATED and i not in front]
    left_out = set(others) - set(Random(0).sample(others, min(len(others), MOST_OTHERS)))
    return [position for position in range(len(trials)) if position not in left_out]


def _point(trial: Trial, device: str, *, on_front: bool) -> TrialPoint:
    return TrialPoint(
        id=trial.id,
        latency_ms=trial.measured_ms.get(device, trial.upper_ms[device]),
        measured=device in trial.measured_ms,
        quality=trial.quality,
        parameters=trial.parameters,
        status=_status(trial),
        on_front=on_front,
    )


def _status(trial: Trial) -> str:
    if trial.status == REJECTED:
        return "rejected"
    return "winner" if trial.status in (CERTIFIED, UNCERTIFIED) else "evaluated"
