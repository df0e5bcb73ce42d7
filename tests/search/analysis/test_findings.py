"""Each finding is made where a log has the fault, and not where it has not."""

from __future__ import annotations

import numpy as np
import pytest

from search.analysis.analysed import AnalysedLog
from search.analysis.diversity import diversity_of
from search.analysis.findings.agreement import MIN_PAIRS, latency_agreement, proxy_agreement
from search.analysis.findings.best import best_found
from search.analysis.findings.collapsed import collapsed
from search.analysis.findings.finding import Finding
from search.analysis.findings.rejections import rejections
from search.analysis.findings.slots import MIN_TRIALS, important_slots
from search.analysis.findings.stalled import stalled
from search.analysis.findings.unusable import unusable
from search.analysis.importance import importance_of
from search.analysis.search_log import SearchLog
from tests.search.analysis.logs import SLOTS, TRIALS, even_log, parameters


def collapse_of(log: SearchLog) -> Finding | None:
    return collapsed(log, diversity_of(log))


def alike_from(first: int, trials: int = TRIALS) -> np.ndarray:
    """Choices that are all the same from a trial on, but for one slot."""
    choices = even_log(trials).choices.copy()
    choices[first:, 1:] = 0
    return choices


def test_an_even_log_has_no_fault() -> None:
    found = AnalysedLog(even_log(TRIALS - 1)).findings
    assert [finding.name for finding in found if finding.fault] == []
    assert found[0].name == "best"
    assert found[0].log == "even"


def test_faults_come_first() -> None:
    log = even_log(costs=parameters(*([9e5] * TRIALS), limit=4e5))
    assert next(finding.fault for finding in AnalysedLog(log).findings)


def test_the_best_is_named() -> None:
    finding = best_found(even_log(3, quality=np.array([0.1, 0.9, 0.2]), numbers=np.array([5, 7, 1009])))
    assert finding.figures == {"quality": 0.9, "median": 0.2, "number": 7}
    assert "number 7, the last one is number 1,009" in finding.text


def test_rejections_are_told_by_limit() -> None:
    finding = rejections(even_log(rejected={"latency:cpu": 1200, "parameters": 3}, repaired=40))
    assert finding is not None
    assert finding.text == "Candidates that broke a limit: latency:cpu 1,200, parameters 3; 40 of them were repaired."
    assert rejections(even_log()) is None


@pytest.mark.parametrize(("over", "found"), [(9, False), (10, True), (98, True)])
def test_trials_over_a_limit(over: int, found: bool) -> None:
    values = [5e5] * over + [4e5] * (100 - over)
    finding = unusable(even_log(100, costs=parameters(*values, limit=4e5)))
    assert (finding is not None) is found
    if finding is not None:
        assert finding.text == f"Only {100 - over} of 100 trials ({100 - over} %) have at most 0.4 M parameters."


def test_time_of_trials_over_a_limit() -> None:
    seconds = np.array([3.0, 3.0, 1.0, 1.0])
    log = even_log(4, costs=parameters(5e5, 5e5, 1e5, 1e5, limit=4e5), seconds=seconds)
    finding = unusable(log)
    assert finding is not None
    assert finding.figures["share_of_time"] == pytest.approx(0.75)


def test_collapse_is_lost_diversity_without_improvement() -> None:
    flat = np.where(np.arange(TRIALS) < 100, even_log().quality, 0.5)
    finding = collapse_of(even_log(choices=alike_from(100), quality=flat))
    assert finding is not None
    assert finding.fault
    assert 100 < finding.figures["fallen_at"] <= 125
    assert finding.figures["distance_first"] > 2 * finding.figures["distance_last"]


def test_lost_diversity_with_improvement_is_no_collapse() -> None:
    assert collapse_of(even_log(choices=alike_from(100))) is None


def test_diversity_without_improvement_is_no_collapse() -> None:
    assert collapse_of(even_log(quality=even_log().quality[::-1])) is None


def test_diversity_that_comes_back_or_fell_only_now_is_no_collapse() -> None:
    flat = even_log().quality[::-1]
    back = alike_from(100)
    back[-25:] = even_log().choices[-25:]
    assert collapse_of(even_log(choices=back, quality=flat)) is None
    assert collapse_of(even_log(choices=alike_from(TRIALS - 50), quality=flat)) is None


def test_a_stall_is_a_mean_that_rises_below_an_old_best() -> None:
    quality = even_log().quality.copy()
    quality[10] = 0.9
    finding = stalled(even_log(quality=quality))
    assert finding is not None
    assert finding.fault
    assert "is trial 11" in finding.text
    assert stalled(even_log()) is None
    late = even_log().quality.copy()
    late[TRIALS // 2] = 0.9
    assert stalled(even_log(quality=late)) is None
    noise = 0.5 + 0.02 * np.random.default_rng(1).random(TRIALS)
    noise[10] = 0.9
    assert stalled(even_log(quality=noise)) is None
    assert stalled(even_log(99, quality=quality[:99])) is None


def test_the_slot_that_decides_is_named() -> None:
    log = even_log(quality=0.5 + 0.1 * even_log().choices[:, 2] + 0.01 * even_log(seed=1).choices[:, 0])
    finding = important_slots(importance_of(log), TRIALS)
    assert finding is not None
    assert not finding.fault
    assert next(iter(finding.figures)) == "slot2"
    assert f"1 of {SLOTS} slots" in finding.text


def test_slots_that_decide_nothing_are_a_fault_in_a_long_log() -> None:
    noise = even_log(quality=np.random.default_rng(2).random(TRIALS))
    finding = important_slots(importance_of(noise), MIN_TRIALS)
    assert finding is not None
    assert finding.fault
    assert important_slots(importance_of(noise), MIN_TRIALS - 1) is None
    assert important_slots((), MIN_TRIALS) is None


@pytest.mark.parametrize(
    ("order", "fault"), [((0, 1, 2, 3, 4), False), ((1, 0, 3, 2, 4), False), ((2, 0, 4, 1, 3), True)]
)
def test_agreement_of_the_estimate_with_full_training(order: tuple[int, ...], fault: bool) -> None:
    trained = np.full(20, np.nan)
    trained[:5] = 0.8 + 0.01 * np.array(order)
    finding = proxy_agreement(even_log(20, quality=np.linspace(0.1, 0.5, 20), trained=trained))
    assert finding is not None
    assert finding.fault is fault
    assert finding.figures["nets"] == 5


def test_too_few_or_equal_nets_agree_in_nothing() -> None:
    trained = np.full(20, np.nan)
    trained[: MIN_PAIRS - 1] = np.arange(MIN_PAIRS - 1)
    assert proxy_agreement(even_log(20, trained=trained)) is None
    assert proxy_agreement(even_log(20)) is None
    assert proxy_agreement(even_log(20, trained=np.full(20, 0.5))) is None


@pytest.mark.parametrize(("swapped", "fault"), [(False, False), (True, True)])
def test_agreement_of_prediction_and_measurement(swapped: bool, fault: bool) -> None:
    measured = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    predicted = np.array([1.1, 2.1, 3.1, 4.1, 5.1, 9.0])
    if swapped:
        predicted[[0, 3]] = predicted[[3, 0]]
    log = even_log(6, latencies={"cpu": np.column_stack([predicted, measured])})
    finding = latency_agreement(log, "cpu")
    assert finding is not None
    assert finding.fault is fault
    assert finding.figures["nets"] == 5
    assert any(each.name == "latency:cpu" for each in AnalysedLog(log).findings)
