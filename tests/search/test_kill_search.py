"""A search that is killed goes on as if it had not been; ``benchmarks/kill_search.py`` does it at length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search.strategies.optuna_sampler import SAMPLERS
from search.strategies.registry import STRATEGIES
from search.trial import DeviceResult
from search.trials import TrialStore
from tests.search.test_trials import make_trials

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def kill_search(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import kill_search

    return kill_search


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_strategy_survives_a_kill(kill_search: Any, tmp_path: Path) -> None:
    words = ("--kills", "3", "--preparation-kills", "1", "--trials", "48", "--seed", "2")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(BENCHMARKS / "kill_search.py"), *words, "--output", str(tmp_path / "kill.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "kill.json").read_text())
    rows = document["rows"]
    assert [(row["strategy"], row.get("kills")) for row in rows] == [(name, 4) for name in kill_search.all_strategies()]
    for row in rows:
        assert row["killed_in_preparation"] == 1
        least, most = (row["trials_at_the_kill"][bound] for bound in ("least", "most"))
        assert 1 <= least < most <= row["trials"]
        assert row["preparation_s"][0] < row["seconds"][0]
    assert all(goal["met"] for goal in document["goals"])


def test_all_strategies_and_samplers_take_part(kill_search: Any) -> None:
    names = kill_search.all_strategies()
    assert {name.partition(":")[0] for name in names} >= set(STRATEGIES.names)
    assert {name.partition(",")[0] for name in names} >= {f"optuna:{sampler}" for sampler in SAMPLERS}
    assert "|" in names[-1]


def test_kills_are_spread_over_the_search_and_over_what_comes_before_it(kill_search: Any, tmp_path: Path) -> None:
    search = kill_search.KilledSearch(tmp_path, "random", 60, 0)
    whole = kill_search.Uninterrupted(search, kill_search.Stored(), seconds=9.0, preparation_s=2.0)
    parts, random = kill_search.parts(15), Random(3)
    for _ in range(20):
        drawn = [next(whole.in_search(part, random)) for part in parts]
        counts = [trials for trials, _ in drawn]
        assert len(set(counts)) >= 12
        assert counts == sorted(counts)
        assert 1 <= min(counts) < 6
        assert 54 < max(counts) <= 59
        assert all(0 <= seconds < 0.1 for _, seconds in drawn)
        before = [next(whole.in_preparation(part, random)) for part in kill_search.parts(5)]
        assert [trials for trials, _ in before] == [0] * 5
        assert [int(seconds / 0.4) for _, seconds in before] == [0, 1, 2, 3, 4]
    later = [seconds for _, seconds in islice(whole.in_preparation((0.8, 1), random), 20)]
    assert min(later) < 1.0 < 1.6 <= later[0] < 2.0, "the preparation may have become shorter"


def test_a_draw_that_came_too_late_is_drawn_again(
    kill_search: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end, and where there are trials already although it was to be killed before the first one."""
    search = kill_search.KilledSearch(tmp_path, "random", 60, 0)
    whole = kill_search.Uninterrupted(search, kill_search.Stored(), seconds=9.0, preparation_s=2.0)
    running, moments = [False, True, True], []
    left = [kill_search.Stored(make_trials(1)), kill_search.Stored()]

    def killed(_: object, *moment: float) -> bool:
        moments.append(moment)
        return running.pop(0)

    monkeypatch.setattr(kill_search.KilledSearch, "killed", killed)
    monkeypatch.setattr(kill_search.KilledSearch, "stored", lambda _: left.pop(0))
    drawn = [(0, 1.9), (0, 1.8), (0, 0.5)]
    hit, before, late = kill_search.hit(whole, tmp_path / "3", iter(drawn))
    assert (hit.folder, before, late) == (tmp_path / "3" / "2", kill_search.Stored(), 2)
    assert moments == drawn
    monkeypatch.setattr(kill_search.KilledSearch, "killed", lambda *_: False)
    with pytest.raises(RuntimeError, match="20 kills came too late"):
        kill_search.hit(whole, tmp_path, repeat((0, 1.0)))


def found(kill_search: Any, **changes: Any) -> Any:
    """What an uninterrupted search of three trials leaves, the first of which was measured and certified."""
    first, *others = make_trials(3)
    first = replace(first, results=(DeviceResult("toy", 1.0, (0.9, 1.1), holds=True),))
    last = {"evaluated": [first.id, *(trial.id for trial in others)], "measured": [first.id], "proposals": ["a", "b"]}
    whole = {"trials": [first, *others], "measured": [first.id], "widened": True, "last": last}
    return kill_search.Stored(**{**whole, **changes})


def resumed(kill_search: Any) -> tuple[Any, Any, Any]:
    """What a kill left after the first trial was measured, what its continuation leaves, and what both should be."""
    whole = found(kill_search)
    first, *others = whole.trials
    last = {"evaluated": [trial.id for trial in others], "measured": [], "proposals": ["a", "b"]}
    later = [first, *(replace(trial, seconds=9.0, created="2027-01-01T00:00:00.000+00:00") for trial in others)]
    before = kill_search.Stored([replace(first)], [first.id])
    return before, replace(whole, trials=later, last=last), whole


def test_a_search_that_went_on_as_it_should_passes(kill_search: Any) -> None:
    assert all(kill_search.compared(*resumed(kill_search)).values())


@pytest.mark.parametrize(
    ("failed", "change"),
    [
        ("nothing_lost", lambda trials, last: {"trials": [replace(trials[0], created="later"), *trials[1:]]}),
        ("nothing_lost", lambda trials, last: {"measured": []}),
        ("nothing_twice", lambda trials, last: {"trials": [*trials, trials[0]]}),
        ("nothing_twice", lambda trials, last: {"last": {**last, "evaluated": [trials[0].id]}}),
        ("nothing_twice", lambda trials, last: {"last": {**last, "measured": [trials[0].id]}}),
        ("same_trials", lambda trials, last: {"trials": [trials[0], trials[2], trials[1]]}),
        ("same_trials", lambda trials, last: {"trials": trials[:2]}),
        ("same_trials", lambda trials, last: {"trials": [*trials[:2], replace(trials[2], upper_ms={"toy": 9.0})]}),
        ("same_measurements", lambda trials, last: {"measured": [trials[0].id, trials[1].id]}),
        ("same_winners", lambda trials, last: {"trials": [replace(trials[0], results=()), *trials[1:]]}),
        ("same_next_proposals", lambda trials, last: {"last": {**last, "proposals": ["a", "c"]}}),
        ("same_next_proposals", lambda trials, last: {"last": {}}),
    ],
)
def test_a_search_that_went_elsewhere_is_noticed(kill_search: Any, failed: str, change: Any) -> None:
    before, after, whole = resumed(kill_search)
    checks = kill_search.compared(before, replace(after, **change(after.trials, after.last)), whole)
    assert not checks[failed]


def test_a_store_is_read_while_it_is_written(kill_search: Any, tmp_path: Path) -> None:
    from kill_search_problem import fitted_budgets

    search = kill_search.KilledSearch(tmp_path, "random", 60, 0)
    assert (search.count(), search.stored()) == (0, kill_search.Stored())
    net = kill_search.SPACE.smallest()[0]
    with TrialStore(tmp_path / "trials.sqlite") as store:
        assert (search.count(), search.stored()) == (0, kill_search.Stored())
        trial = replace(make_trials(1)[0], architecture=net, predictions={})
        store.add(trial)
        assert (search.count(), len(search.stored().trials), search.stored().widened) == (1, 1, False)
        slow_ms = 9 * fitted_budgets().latencies[0].predictor.predict([kill_search.SPACE.lower(net)])[0].latency_ms
        store.add_results(trial, [DeviceResult("toy", slow_ms, (slow_ms, slow_ms), holds=False)])
        assert (search.stored().measured, search.stored().widened) == ([trial.id], True)


def test_a_strategy_that_was_not_run_is_no_success(kill_search: Any) -> None:
    checks = {"ends_well": True, "same_trials": False}
    kill = {"trials_at_the_kill": 3, "after_widening": True, "draws_too_late": 2, "checks": checks}
    row = {"strategy": "random", **kill_search.summary([kill, {**kill, "after_widening": False}], 1)}
    assert (row["killed_after_widening"], row["killed_in_preparation"], row["draws_too_late"]) == (1, 1, 4)
    assert (len(row["failures"]), row["passed"]) == (2, {"ends_well": 2, "same_trials": 0})
    met = {goal["what"]: goal["met"] for goal in kill_search.goals([row])}
    assert met == {
        "strategies run": True,
        "kills after a bound was widened, fewest of a strategy": True,
        "ends_well, share of kills": True,
        "same_trials, share of kills": False,
    }
    other = kill_search.goals([row, {"strategy": "ppo", "not_run": "no torch"}])
    assert (other[0]["value"], other[0]["met"]) == (1, False)
    assert not any(goal["met"] for goal in kill_search.goals([]))
