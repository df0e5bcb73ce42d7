"""The plot of a run stays small: of very many trials a part is shown, with all that matter."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from latseg.report import search_section as section
from search.run_config import RunConfig, TargetDevice
from search.trial import DeviceResult, Trial
from tests.search.test_trials import make_trials

TARGET = TargetDevice(
    device="a", threads=1, maximum_ms=3.0, fingerprint="f", hardware="h", runtime="r", runtime_version="1",
    simulated=False,
)  # fmt: skip
CONFIG = RunConfig.model_construct(max_parameters=400_000)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "MOST_OTHERS", 20)


def trials(count: int) -> list[Trial]:
    """The first one is the front, the last one was measured and rejected."""
    rng = Random(0)
    found = [replace(trial, quality=0.5 * rng.random()) for trial in make_trials(count)]
    rejected = DeviceResult("a", 3.5, (3.4, 3.6), holds=False)
    first = replace(found[0], quality=0.9, upper_ms={"a": 1.0, "b": 3.0})
    return [first, *found[1:-1], replace(found[-1], results=(rejected,))]


def test_a_part_of_very_many_trials_is_shown_and_this_is_said() -> None:
    many = trials(60)
    found = section.search_section(CONFIG, TARGET, many)
    shown = [trial.id for trial in many if trial.id in found.body]
    assert len(shown) == 22
    assert {many[0].id, many[-1].id} <= set(shown)
    assert "shows 22 of the 60 nets" in found.lead
    assert "20 of the others, drawn at random" in found.lead
    assert section.search_section(CONFIG, TARGET, many).lead == found.lead


def test_of_few_trials_all_are_shown() -> None:
    few_trials = trials(22)
    found = section.search_section(CONFIG, TARGET, few_trials)
    assert all(trial.id in found.body for trial in few_trials)
    assert "drawn at random" not in found.lead
