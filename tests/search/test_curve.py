"""A search for several budgets: its runs, the trials that they share, and the best network within each budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.errors import UserError
from search.adoption import adopt_trials
from search.curve import curve_rows, earlier_folders, of_point, with_curve
from search.loop import SearchResult, run_search
from search.options import BudgetOptions, DataOptions, SearchOptions
from search.run_config import RunConfig, read_config, write_config
from search.run_folder import RunFolder
from search.settings import SearchSettings
from search.strategies.registry import make_strategy
from search.trial import Trial
from search.trials import TrialStore
from search.winners.selection import predicted_again
from tests.search.test_loop import EVOLUTION, SPACE, TRUTH, search, toy_budgets
from tests.search.toy import FormulaEvaluator, NoisyDevice, certify

LIMITS = (0.8, 3.0, 1.5)


@pytest.fixture(scope="module")
def single() -> RunConfig:
    data = DataOptions(source="synthetic:8", size=(64, 64))
    search = SearchOptions(trials=6, winners=2)
    return RunConfig.create(BudgetOptions(latency_ms={"simulated": 3.0}), data, search=search)


@pytest.fixture(scope="module")
def first(single: RunConfig) -> RunConfig:
    return with_curve(single, LIMITS)


def test_the_runs_follow_from_any_of_them(single: RunConfig, first: RunConfig, tmp_path: Path) -> None:
    configs = [of_point(first, point) for point in first.curve]
    assert configs[0] == first
    assert [one.run for one in configs] == [f"{single.run}-{ms}ms" for ms in ("3", "1.5", "0.8")]
    assert [one.targets[0].maximum_ms for one in configs] == [3.0, 1.5, 0.8]
    assert [of_point(configs[2], point) for point in configs[2].curve] == configs
    same = {"run": single.run, "targets": single.targets, "curve": ()}
    assert {one.model_copy(update=same) == single for one in configs} == {True}
    assert [len(earlier_folders(one, tmp_path / one.run)) for one in configs] == [0, 1, 2]
    assert earlier_folders(configs[2], tmp_path / configs[2].run) == [tmp_path / one.run for one in configs[:2]]
    assert earlier_folders(single, tmp_path / single.run) == []
    write_config(tmp_path, configs[1])
    assert read_config(tmp_path) == configs[1]


def test_equal_budgets_are_one_and_none_or_two_devices_are_refused(single: RunConfig) -> None:
    assert [point.maximum_ms for point in with_curve(single, [2.0, 1.0, 2.0]).curve] == [2.0, 1.0]
    nearly = with_curve(single, [1.0, 1.0000000001]).curve
    assert len({point.run for point in nearly}) == len(nearly) == 1
    with pytest.raises(UserError, match="budgets: got none"):
        with_curve(single, [])
    two = single.model_copy(update={"targets": single.targets * 2})
    with pytest.raises(UserError, match="several budgets: got 2 devices; expected one device"):
        with_curve(two, [1.0])


def searched(
    folder: Path,
    ms: float,
    others: Sequence[Path],
    evaluator: FormulaEvaluator,
    *,
    measured: NoisyDevice | None = None,
    trials: int = 60,
) -> SearchResult:
    """A run of a curve, as ``search.launch`` starts it."""
    budgets, settings = toy_budgets(ms=ms), SearchSettings(trials=trials, winners=2, feasibility_samples=60)
    folder.mkdir(exist_ok=True)
    hooks = {} if measured is None else {"measure": measured.measure, "certify": certify}
    with TrialStore(RunFolder(folder).trials) as store:
        adopt_trials(SPACE, budgets, store, others)
        strategy = make_strategy(EVOLUTION, SPACE, budgets)
        first = 1 if others else 0
        return run_search(SPACE, budgets, evaluator, strategy, store, settings, first_generation=first, **hooks)  # type: ignore[arg-type]


def test_trials_of_larger_budgets_count_and_nothing_is_evaluated_twice(tmp_path: Path) -> None:
    evaluator, device = FormulaEvaluator(), NoisyDevice(TRUTH)
    folders = [tmp_path / ms for ms in ("3", "1.5", "0.8")]
    results = [
        searched(folder, float(folder.name), folders[:number], evaluator, measured=device)
        for number, folder in enumerate(folders)
    ]
    assert len(evaluator.asked) == len(set(evaluator.asked)) < 180
    known: dict[str, Trial] = {}
    for folder, result in zip(folders, results, strict=True):
        budgets = toy_budgets(ms=float(folder.name))
        assert len(result.trials) == 60
        assert all(not budgets.violated(trial.parameters, trial.upper_ms) for trial in result.trials)
        adopted = {trial.id for trial in result.trials if trial.generation == 0 and trial.id in known}
        kept = predicted_again(list(known.values()), SPACE, budgets)
        assert adopted == {one.id for one in kept if not budgets.violated(one.parameters, one.upper_ms)}
        assert all(trial.quality == known[trial.id].quality for trial in result.trials if trial.id in adopted)
        known |= {trial.id: trial for trial in result.trials}
    assert all(trial.certified for result in results for trial in result.winners)


@pytest.mark.parametrize("after", [3, 20])
def test_a_later_run_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path: Path, after: int) -> None:
    class Interrupted(FormulaEvaluator):
        def quality(self, architectures):  # type: ignore[no-untyped-def]
            if len(self.asked) == after:
                raise KeyboardInterrupt
            return super().quality(architectures)

    first = tmp_path / "first"
    searched(first, 3.0, [], FormulaEvaluator())
    whole = searched(tmp_path / "whole", 1.5, [first], FormulaEvaluator())
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "parts", 1.5, [first], Interrupted())
    with TrialStore(RunFolder(tmp_path / "parts").trials) as store:
        stored = store.trials()
    resumed = searched(tmp_path / "parts", 1.5, [first], FormulaEvaluator())
    assert resumed.trials[: len(stored)] == stored
    assert [trial.id for trial in resumed.trials] == [trial.id for trial in whole.trials]


def test_all_adopted_trials_may_win_however_many_they_are(tmp_path: Path) -> None:
    first, evaluator, device = tmp_path / "first", FormulaEvaluator(), NoisyDevice(TRUTH)
    before = searched(first, 3.0, [], FormulaEvaluator())
    result = searched(tmp_path / "second", 3.0, [first], evaluator, measured=device, trials=10)
    assert evaluator.asked == []
    assert [trial.id for trial in result.trials] == [trial.id for trial in before.trials]
    assert result.winners[0].quality == max(trial.quality for trial in before.trials)


def test_what_other_runs_measured_is_not_adopted(tmp_path: Path) -> None:
    device, budgets = NoisyDevice(TRUTH), toy_budgets(ms=3.0)
    searched(tmp_path / "first", 3.0, [], FormulaEvaluator(), measured=device)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        adopt_trials(SPACE, budgets, store, [tmp_path / "nothing", tmp_path / "first"])
        adopted = store.trials()
        assert len(adopted) == 60
        assert not any(trial.results for trial in adopted)
        adopt_trials(SPACE, toy_budgets(ms=9.0), store, [tmp_path / "first"])
        assert store.trials() == adopted


def test_a_row_for_each_budget_and_never_a_worse_net_within_a_larger_one(tmp_path: Path, first: RunConfig) -> None:
    result = search(tmp_path, toy_budgets(), measure=NoisyDevice(TRUTH).measure, certify=certify)
    certified = [trial for trial in result.trials if trial.certified]
    template = certified[0].results[0]

    def stored(ms: float, *qualities: float) -> None:
        """Two nets that win within this budget, with these qualities."""
        (point,) = (point for point in first.curve if point.maximum_ms == ms)
        (tmp_path / point.run).mkdir()
        with TrialStore(RunFolder(tmp_path / point.run).trials) as store:
            for number, quality in enumerate(qualities):
                trial = replace(result.trials[round(10 * ms) + number], quality=quality, results=())
                store.add(trial)
                store.add_results(trial, [template])

    assert [row.winners for row in curve_rows(tmp_path, first)] == [(), (), ()]
    stored(0.8, 0.7)
    stored(3.0, 0.6, 0.75, 0.5)
    rows = curve_rows(tmp_path, first)
    assert [row.point.maximum_ms for row in rows] == [0.8, 1.5, 3.0]
    assert [[winner.trial.quality for winner in row.winners] for row in rows] == [[0.7], [0.7], [0.75, 0.7]]
    runs = [[winner.run.rpartition("-")[2] for winner in row.winners] for row in rows]
    assert runs == [["0.8ms"], ["0.8ms"], ["3ms", "0.8ms"]]
