"""Runs of ours: trials, limits, rejections, measurements and trained winners come from the run's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
from search.analysis.read import read_log
from search.analysis.search_log import ABSENT
from search.architecture import Architecture
from search.constraints.budgets import ConstraintCheck
from search.run_folder import RunFolder
from search.tasks.task import Quality
from search.trial import DeviceResult
from search.trials import TrialStore
from search.winners.trained_record import keep_trained_record
from tests.search.analysis.logs import write_run
from tests.search.test_trials import make_trials


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path)


def test_a_run_is_read_with_all_that_is_known(folder: Path) -> None:
    trials = make_trials(5)
    measured = DeviceResult("a", 1.7, (1.6, 1.8), holds=True)
    with TrialStore(RunFolder(folder).trials) as store:
        for trial in trials:
            store.add(trial)
        store.add_results(trials[3], [measured])
        store.add_rejections(0, [ConstraintCheck(trials[0].architecture, 1, violated=("parameters",))], [True])
    log = read_log(folder)
    assert log.name == "some-run"
    assert log.numbers.tolist() == [1, 2, 3, 4, 5]
    assert log.quality.tolist() == [trial.quality for trial in trials]
    assert [(cost.name, cost.limit) for cost in log.costs] == [("parameters", 102.0), ("latency:a", 3.0)]
    assert log.costs[0].values.tolist() == [100, 101, 102, 103, 104]
    assert log.costs[1].values.tolist() == [2.0] * 5
    assert log.slots == tuple(slot for slot, _ in trials[0].architecture.choices)
    assert log.choices[4].tolist() == [choice for _, choice in trials[4].architecture.choices]
    assert log.latencies["a"][3].tolist() == [1.5, 1.7]
    assert (log.rejected, log.repaired) == ({"parameters": 1}, 1)


def test_quality_after_training_is_that_of_the_record(folder: Path) -> None:
    trials = make_trials(3)
    with TrialStore(RunFolder(folder).trials) as store:
        for trial in trials:
            store.add(trial)
    RunFolder(folder).trained_record(trials[0].id).parent.mkdir()
    keep_trained_record(
        RunFolder(folder).trained_record(trials[0].id), Quality({"accuracy": 0.8, "f1": 0.7}, "accuracy", 5)
    )
    trained = read_log(folder).trained
    assert trained is not None
    assert trained[0] == 0.8
    assert np.isnan(trained[1:]).all()


def test_a_run_without_trials_and_one_with_a_damaged_record(folder: Path) -> None:
    with pytest.raises(UserError, match="no trials"):
        read_log(folder)
    (trial,) = make_trials(1)
    with TrialStore(RunFolder(folder).trials) as store:
        store.add(replace(trial, generation=0))
    RunFolder(folder).trained_record(trial.id).parent.mkdir()
    RunFolder(folder).trained_record(trial.id).write_bytes(b"damaged")
    trained = read_log(folder).trained
    assert trained is not None
    assert np.isnan(trained).all()


@pytest.mark.parametrize("pair", [("slot", 2**70), ("slot\ud800", 1)])
def test_a_trial_with_a_choice_that_no_search_wrote(folder: Path, pair: tuple[str, int]) -> None:
    (trial,) = make_trials(1)
    net = Architecture(trial.architecture.space, (pair,))
    with TrialStore(RunFolder(folder).trials) as store:
        store.add(replace(trial, architecture=net))
    with pytest.raises(UserError, match="trial"):
        read_log(folder)


def test_a_slot_that_a_trial_lacks_is_absent(folder: Path) -> None:
    one, two = make_trials(2)
    shorter = Architecture(two.architecture.space, two.architecture.choices[1:])
    with TrialStore(RunFolder(folder).trials) as store:
        store.add(one, replace(two, architecture=shorter))
    assert read_log(folder).choices[1, 0] == ABSENT


@pytest.mark.parametrize(
    ("strategy", "rewards"),
    [
        ("random|regularised-evolution", None),
        ("random|regularised-evolution:parameters=0.5", [0.5, 0.51, 0.52, 0.53 * (102 / 103) ** 0.5]),
        ("regularised-evolution:latency=1", [0.5, 0.51 * 1.5, 0.52 * 1.5, 0.53 * 1.5]),
        ("a-plug-in-that-is-gone", None),
    ],
)
def test_the_reward_is_that_of_the_strategy_that_proposed_the_trial(
    tmp_path: Path, strategy: str, rewards: list[float] | None
) -> None:
    """Bounds of 2 ms of 3 ms, 100 to 103 parameters of 102; generations of two trials in turn."""
    folder = write_run(tmp_path, strategy=strategy)
    with TrialStore(RunFolder(folder).trials) as store:
        store.add(*make_trials(4))
    found = read_log(folder).rewards
    assert (None if found is None else found.tolist()) == (None if rewards is None else pytest.approx(rewards))
