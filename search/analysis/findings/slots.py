"""Which slots decide quality."""

from __future__ import annotations

from collections.abc import Sequence

from search.analysis.findings.finding import Finding
from search.analysis.importance import SlotImportance

SHOWN = 3
"""Slots that are named."""
MIN_TRIALS = 200
"""From so many trials on, a log in which no slot is above chance is worth a word; fewer show only large effects."""


def important_slots(slots: Sequence[SlotImportance], trials: int) -> Finding | None:
    """Names the most important slots; where no slot of many trials explains more than chance, it says so."""
    above = [slot for slot in slots if slot.significant]
    figures = {slot.slot: slot.explained for slot in above[:SHOWN]}
    if not above and (not slots or trials < MIN_TRIALS):
        return None
    if not above:
        text = f"None of {len(slots)} slots explains more of the variance of quality, by itself, than chance does."
        remedy = "Either quality depends on combinations, or it is mostly noise: evaluate each trial longer, or twice."
        return Finding("slots", text, figures, remedy)
    named = ", ".join(f"{slot.slot} {100 * slot.explained:.2g} %" for slot in above[:SHOWN])
    text = (
        f"{len(above)} of {len(slots)} slots explain more of the variance of quality, each by itself, than chance. "
        f"The most important: {named}."
    )
    return Finding("slots", text, figures)
