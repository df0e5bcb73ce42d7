"""The search as a whole: what is evaluated, resuming, winners and what they are worth."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from foundation.errors import UserError
from foundation.progress import OnProgress, Progress, ignore_progress
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler
from search.constraints.infeasible import InfeasibleError
from search.evaluators.evaluator import Evaluator
from search.loop import SearchResult, run_search
from search.pareto import fronts
from search.progress import SearchProgress
from search.settings import SearchSettings
from search.strategies.random_search import RandomSearch
from search.strategies.registry import make_strategy
from search.trial import CERTIFIED, EVALUATED, REJECTED, UNCERTIFIED, Trial
from search.trials import TrialStore
from tests.search.toy import FormulaEvaluator, FormulaPredictor, NoisyDevice, ToySpace, certify, quality_of

SPACE = ToySpace()
TRUTH = FormulaPredictor()
EVOLUTION, RANDOM = "evolution:population=12", "random:generation_size=12"
OPTIMIST = FormulaPredictor(bias=0.85)
"""Its bounds lie a tenth below the truth."""


def toy_budgets(predictor: FormulaPredictor = TRUTH, *, parameters: int = 12_000, ms: float = 3.0) -> Budgets:
    return Budgets(ParameterBudget(parameters), (LatencyBudget("toy", ms, predictor),))


def search(
    path: Path,
    budgets: Budgets,
    *,
    evaluator: FormulaEvaluator | None = None,
    strategy: str = EVOLUTION,
    settings: SearchSettings | None = None,
    **callbacks: object,
) -> SearchResult:
    chosen = settings or SearchSettings(trials=60, feasibility_samples=60)
    with TrialStore(path / "trials.sqlite") as store:
        return run_search(
            SPACE,
            budgets,
            evaluator or FormulaEvaluator(),
            make_strategy(strategy, SPACE, budgets, seed=chosen.seed),
            store,
            chosen,
            **callbacks,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("strategy", [EVOLUTION, RANDOM])
def test_nothing_that_breaks_a_budget_is_evaluated(tmp_path: Path, strategy: str) -> None:
    slow = FormulaPredictor(ms_per_operator=0.4)
    latencies = (LatencyBudget("toy", 3.0, TRUTH), LatencyBudget("slow", 4.0, slow))
    budgets = Budgets(ParameterBudget(8_000), latencies)
    evaluator = FormulaEvaluator()
    result = search(tmp_path, budgets, evaluator=evaluator, strategy=strategy)
    assert len(result.trials) == 60
    assert evaluator.asked == [trial.architecture for trial in result.trials]
    for architecture in evaluator.asked:
        graph = SPACE.lower(architecture)
        assert SPACE.plan(architecture).parameters() <= 8_000
        assert TRUTH.true_ms(graph) * 1.05 <= 3.0
        assert slow.true_ms(graph) * 1.05 <= 4.0
    assert len({trial.id for trial in result.trials}) == 60
    assert set(result.rejected) == {"parameters", "latency:toy", "latency:slow"}
    assert 0 < result.repaired <= sum(result.rejected.values())


def test_an_infeasible_budget_ends_before_anything_is_prepared(tmp_path: Path) -> None:
    evaluator = FormulaEvaluator()
    with pytest.raises(InfeasibleError) as refused:
        search(tmp_path, toy_budgets(ms=0.1), evaluator=evaluator)
    assert refused.value.exit_code == 3
    assert refused.value.feasibility.seconds < 10
    assert evaluator.prepared == 0
    assert evaluator.asked == []


def test_the_front_is_not_dominated_and_progress_is_told(tmp_path: Path) -> None:
    told: list[Progress] = []
    budgets = toy_budgets()
    result = search(tmp_path, budgets, on_progress=told.append)
    rows = np.array([(-t.quality, t.upper_ms["toy"], t.parameters) for t in result.trials])
    expected = {result.trials[i].id for i in fronts(rows)[0]}
    assert {trial.id for trial in result.front} == expected
    searching = [moment for moment in told if isinstance(moment, SearchProgress) and moment.stage == "search"]
    assert [moment.done for moment in searching] == list(range(1, 61))
    best = [moment.best_quality for moment in searching if moment.best_quality is not None]
    assert best == sorted(best)
    assert best[-1] == max(trial.quality for trial in result.trials)
    assert [moment.stage for moment in told if moment.stage != "search"] == ["feasibility"] * 3 + ["prepare"]


def test_progress_brings_every_trial_once_and_again_when_it_was_measured(tmp_path: Path) -> None:
    moments: list[Progress] = []
    device = NoisyDevice(TRUTH)
    result = search(tmp_path, toy_budgets(), measure=device.measure, certify=certify, on_progress=moments.append)
    brought = [one.trial for one in moments if isinstance(one, SearchProgress) and one.trial is not None]
    assert [trial.id for trial in brought if not trial.results] == [trial.id for trial in result.trials]
    measured = [trial for trial in brought if trial.results]
    assert [trial.architecture for trial in measured] == device.measured
    assert {trial.id for trial in measured if trial.certified} >= {trial.id for trial in result.winners}


def test_winners_are_certified_distinct_and_of_the_best_quality(tmp_path: Path) -> None:
    device = NoisyDevice(TRUTH)
    result = search(tmp_path, toy_budgets(), measure=device.measure, certify=certify)
    assert [trial.status for trial in result.winners] == [CERTIFIED] * 3
    assert len({trial.id for trial in result.winners}) == 3
    assert [trial.quality for trial in result.winners] == sorted((t.quality for t in result.winners), reverse=True)
    better = [t for t in result.trials if t.quality > result.winners[-1].quality and t not in result.winners]
    # Everything of higher quality was refused by the device, or lies beyond the margin that a refusal taught.
    assert all(t.status == REJECTED or t.upper_ms["toy"] * 1.03 > 3.0 for t in better)
    assert result.message.startswith("3 of 3 winners certified")
    assert {trial.architecture for trial in result.winners} <= set(device.measured)


def test_an_optimistic_predictor_costs_rejections_but_not_the_winner(tmp_path: Path) -> None:
    device = NoisyDevice(TRUTH)
    result = search(tmp_path, toy_budgets(OPTIMIST), measure=device.measure, certify=certify)
    assert result.rejected["measured:toy"] > 0
    assert result.winners
    assert all(trial.certified and device.true_ms(trial.architecture) <= 3.0 for trial in result.winners)
    assert sum(trial.status == REJECTED for trial in result.trials) == result.rejected["measured:toy"]


def test_each_measured_candidate_recalibrates_and_the_new_bounds_are_used(tmp_path: Path) -> None:
    device = NoisyDevice(TRUTH)
    seen: list[list[Architecture]] = []

    def recalibrate(measured: Sequence[Trial]) -> Budgets:
        assert all(set(trial.measured_ms) == {"toy"} for trial in measured)
        seen.append([trial.architecture for trial in measured])
        return toy_budgets(FormulaPredictor(slack=1.08))

    result = search(tmp_path, toy_budgets(OPTIMIST), measure=device.measure, certify=certify, recalibrate=recalibrate)
    assert seen == [device.measured[: count + 1] for count in range(len(device.measured))]
    assert len([trial for trial in result.trials if trial.status == REJECTED]) <= 2
    assert len(result.winners) == 3
    for trial in result.trials:
        assert trial.upper_ms["toy"] == pytest.approx(device.true_ms(trial.architecture) * 1.08)


def test_no_certificate_ever_breaks_its_budget(tmp_path: Path) -> None:
    """Many searches on a noisy device with predictors that are off by a few per cent from net to net."""
    certified, refused = 0, 0
    for seed in range(24):
        device = NoisyDevice(TRUTH, noise=0.05, seed=seed)
        predictor = FormulaPredictor(bias=(0.9, 1.0)[seed % 2], noise=0.04)
        budgets = toy_budgets(predictor, ms=(0.8, 1.5, 3.0)[seed % 3])
        folder = tmp_path / str(seed)
        folder.mkdir()
        settings = SearchSettings(trials=30, winners=2, seed=seed, feasibility_samples=30)
        result = search(folder, budgets, settings=settings, measure=device.measure, certify=certify)
        assert result.winners, f"seed {seed}"
        for trial in result.winners:
            assert trial.certified
            assert device.true_ms(trial.architecture) <= budgets.latencies[0].maximum_ms
        certified += len(result.winners)
        refused += result.rejected.get("measured:toy", 0)
    assert certified == 48
    assert refused > 0


def test_the_last_resort_is_the_safest_net(tmp_path: Path) -> None:
    """The predictor is blind to latency: only the smallest net of the space can be certified."""
    blind = FormulaPredictor(ms_per_mflop=0.001, ms_per_operator=0.0)
    smallest = SPACE.smallest()[0]
    device = NoisyDevice(TRUTH, noise=0.01)
    limit = device.true_ms(smallest) * 1.1
    settings = SearchSettings(trials=30, winners=1, feasibility_samples=30)
    result = search(tmp_path, toy_budgets(blind, ms=limit), settings=settings, measure=device.measure, certify=certify)
    assert [trial.architecture for trial in result.winners] == [smallest]
    assert len(device.measured) <= settings.max_measurements


def test_none_certified_is_said_and_ends(tmp_path: Path) -> None:
    device = NoisyDevice(FormulaPredictor(ms_per_operator=10.0))
    result = search(tmp_path, toy_budgets(), measure=device.measure, certify=certify)
    assert result.winners == []
    assert len(result.trials) == 60
    assert "no winner was certified" in result.message
    assert result.rejected["measured:toy"] == len(device.measured) <= 30


def test_a_simulated_device_certifies_nothing(tmp_path: Path) -> None:
    device = NoisyDevice(TRUTH, simulated=True)
    result = search(tmp_path, toy_budgets(), measure=device.measure, certify=certify)
    assert [trial.status for trial in result.winners] == [UNCERTIFIED] * 3
    assert not any(trial.certified for trial in result.trials)
    assert "certifies nothing" in result.message


def test_every_device_has_to_certify(tmp_path: Path) -> None:
    one, two = NoisyDevice(TRUTH, name="one"), NoisyDevice(FormulaPredictor(ms_per_mflop=0.3), name="two")
    budgets = Budgets(None, (LatencyBudget("one", 3.0, TRUTH), LatencyBudget("two", 3.0, TRUTH)))
    result = search(tmp_path, budgets, measure=lambda a: {**one.measure(a), **two.measure(a)}, certify=certify)
    assert result.winners
    for trial in result.winners:
        assert set(trial.measured_ms) == {"one", "two"}
        assert max(one.true_ms(trial.architecture), two.true_ms(trial.architecture)) <= 3.0
    assert "measured:one" not in result.rejected
    assert result.rejected["measured:two"] > 0


def test_a_failed_and_a_missing_measurement_reject(tmp_path: Path) -> None:
    info = DeviceInfo("toy", "toy", "toy", "1", 1, "float32")
    answers: list[dict[str, Measurement | FailedMeasurement]] = [{"toy": FailedMeasurement("x", "", info, "hang")}, {}]
    device = NoisyDevice(TRUTH)

    def measure(architecture: Architecture) -> Mapping[str, Measurement | FailedMeasurement]:
        return answers.pop(0) if answers else device.measure(architecture)

    result = search(tmp_path, toy_budgets(), measure=measure, certify=certify)
    reasons = [one.reason for trial in result.trials for one in trial.results if not one.holds]
    assert {"hang", "not measured"} <= set(reasons)
    assert len(result.winners) == 3


def test_without_measuring_winners_are_only_predicted(tmp_path: Path) -> None:
    result = search(tmp_path, toy_budgets())
    assert [trial.status for trial in result.winners] == [EVALUATED] * 3
    assert "nothing is certified" in result.message


def test_a_small_space_is_exhausted_and_not_searched_for_ever(tmp_path: Path) -> None:
    result = search(tmp_path, Budgets(ParameterBudget(400)))
    assert 0 < len(result.trials) < 60
    assert "no new candidate" in result.message


class _Interrupted(FormulaEvaluator):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        if len(self.asked) == self.after:
            raise KeyboardInterrupt
        return super().quality(architectures)


@pytest.mark.parametrize("strategy", [EVOLUTION, RANDOM])
@pytest.mark.parametrize("after", [1, 12, 31])
def test_interrupted_and_resumed_it_is_the_same_search(tmp_path: Path, after: int, strategy: str) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = search(tmp_path / "whole", toy_budgets(), strategy=strategy)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "parts", toy_budgets(), evaluator=_Interrupted(after), strategy=strategy)
    rest = FormulaEvaluator()
    resumed = search(tmp_path / "parts", toy_budgets(), evaluator=rest, strategy=strategy)
    assert len(rest.asked) == 60 - after
    assert [trial.id for trial in resumed.trials] == [trial.id for trial in whole.trials]
    assert resumed.rejected == whole.rejected


def test_interrupted_while_measuring_nothing_is_measured_twice(tmp_path: Path) -> None:
    device = NoisyDevice(TRUTH)

    def interrupted(architecture: Architecture) -> Mapping[str, Measurement]:
        if len(device.measured) == 2:
            raise KeyboardInterrupt
        return device.measure(architecture)

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, toy_budgets(OPTIMIST), measure=interrupted, certify=certify)
    evaluator = FormulaEvaluator()
    result = search(tmp_path, toy_budgets(OPTIMIST), evaluator=evaluator, measure=device.measure, certify=certify)
    assert evaluator.prepared == 1
    assert len(device.measured) == len(set(device.measured))
    assert len(result.trials) == 60
    assert all(trial.certified for trial in result.winners)


def test_a_generation_that_a_stop_cut_short_is_not_filled_up_after_an_interruption(tmp_path: Path) -> None:
    """With trials of another run before its own, whose number is no multiple of a generation."""
    settings = SearchSettings(trials=60, winners=2, feasibility_samples=60)
    budgets, found = toy_budgets(ms=1.5), []
    for name, interruptions in (("whole", 0), ("parts", 1)):
        with TrialStore(tmp_path / f"{name}.sqlite") as store:
            for trial in search(tmp_path, toy_budgets(ms=1.4)).trials[:28]:
                store.add(replace(trial, generation=0))
            for left in range(interruptions, -1, -1):
                device = NoisyDevice(TRUTH)

                def measure(
                    net: Architecture, left: int = left, device: NoisyDevice = device
                ) -> dict[str, Measurement]:
                    if left:
                        raise KeyboardInterrupt
                    return device.measure(net)

                strategy = make_strategy(EVOLUTION, SPACE, budgets)
                with suppress(KeyboardInterrupt):
                    run_search(
                        SPACE, budgets, FormulaEvaluator(), strategy, store, settings,
                        measure=measure, certify=certify, first_generation=1,
                    )  # fmt: skip
            found.append([(trial.id, trial.generation) for trial in store.trials()])
    assert len(found[0]) == 60
    assert found[0] == found[1]


def _leaving(rejected: int) -> Budgets:
    """Budgets that few nets keep, and all nets after two rejections."""
    return toy_budgets(parameters=400 if rejected < 2 else 12_000, ms=100.0)


@pytest.mark.parametrize(("measured_before", "adopted"), [(2, False), (5, True)])
def test_a_search_that_found_no_candidate_until_the_budgets_changed_is_resumed_as_it_was(
    tmp_path: Path, measured_before: int, adopted: bool
) -> None:
    """The budgets leave a few nets; each rejection raises them."""
    settings = SearchSettings(trials=60, winners=2, feasibility_samples=60)
    found = []
    for name, interruptions in (("whole", 0), ("parts", 1)):
        device, left = NoisyDevice(FormulaPredictor(ms_per_operator=1000.0)), interruptions
        with TrialStore(tmp_path / f"{name}.sqlite") as store:
            others = search(tmp_path, _leaving(0), strategy=RANDOM).trials if adopted else []
            store.add(*(replace(trial, generation=0) for trial in others))
            while True:
                rejected = len(store.measured())

                def measure(net: Architecture, device: NoisyDevice = device) -> dict[str, Measurement]:
                    nonlocal left
                    if left and len(store.measured()) == measured_before:
                        left = 0
                        raise KeyboardInterrupt
                    return device.measure(net)

                with suppress(KeyboardInterrupt):
                    run_search(
                        SPACE, _leaving(rejected), FormulaEvaluator(), make_strategy(RANDOM, SPACE, _leaving(rejected)),
                        store, settings, measure=measure, certify=certify, first_generation=int(adopted),
                        recalibrate=lambda *_: _leaving(len(store.measured())),
                    )  # fmt: skip
                    break
            found.append([(trial.id, trial.generation) for trial in store.trials()])
            found.append(store.measured())
    assert len(found[0]) == 60
    assert found[:2] == found[2:]


def test_a_finished_search_is_only_read_again(tmp_path: Path) -> None:
    device, again = NoisyDevice(TRUTH), FormulaEvaluator()
    first = search(tmp_path, toy_budgets(), measure=device.measure, certify=certify)
    measured = len(device.measured)
    second = search(tmp_path, toy_budgets(), evaluator=again, measure=device.measure, certify=certify)
    assert second.winners == first.winners
    assert again.prepared == 0
    assert len(device.measured) == measured


def test_the_evaluator_is_prepared_before_a_stored_trial_is_measured(tmp_path: Path) -> None:
    search(tmp_path, toy_budgets())
    device, evaluator = NoisyDevice(TRUTH), FormulaEvaluator()
    result = search(tmp_path, toy_budgets(), evaluator=evaluator, measure=device.measure, certify=certify)
    assert evaluator.prepared == 1
    assert evaluator.asked == []
    assert len(result.winners) == 3


def test_a_strategy_is_prepared_once_before_its_first_proposal_with_the_prepared_evaluator(tmp_path: Path) -> None:
    calls: list[str] = []

    class Prepared(RandomSearch):
        def prepare(
            self, evaluator: Evaluator, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress
        ) -> None:
            assert isinstance(evaluator, FormulaEvaluator)
            calls.append(f"prepared after {evaluator.prepared}")
            assert not toy_budgets().check_many(SPACE, sampler(3, Random(0)))[0].violated

        def ask(self, count: int) -> list[Architecture]:
            calls.append("asked")
            return super().ask(count)

    with TrialStore(tmp_path / "trials.sqlite") as store:
        budgets, settings = toy_budgets(), SearchSettings(trials=40, feasibility_samples=60)
        run_search(SPACE, budgets, FormulaEvaluator(), Prepared(SPACE, budgets), store, settings)
    assert calls[0] == "prepared after 1"
    assert set(calls[1:]) == {"asked"}


def test_a_generation_goes_to_the_evaluator_as_a_whole_and_is_stored_one_by_one(tmp_path: Path) -> None:
    generations: list[int] = []

    class Batches(FormulaEvaluator):
        def qualities(self, architectures: Sequence[Architecture]) -> Iterator[float]:
            generations.append(len(architectures))
            for number, architecture in enumerate(architectures):
                if len(generations) == 2 and number == 5:
                    raise KeyboardInterrupt
                yield quality_of(architecture)

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, toy_budgets(), evaluator=Batches())
    assert generations == [12, 12]
    with TrialStore(tmp_path / "trials.sqlite") as store:
        assert len(store.trials()) == 12 + 5


def test_a_measured_winner_costs_no_work_on_every_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids take long: each is a digest of a text with all choices."""
    search(tmp_path, toy_budgets())
    encoded: list[Architecture] = []
    to_json = Architecture.to_json
    monkeypatch.setattr(Architecture, "to_json", lambda self: encoded.append(self) or to_json(self))
    device = NoisyDevice(TRUTH)
    assert len(search(tmp_path, toy_budgets(), measure=device.measure, certify=certify).winners) == 3
    assert len(encoded) < 60


def test_budgets_that_leave_next_to_nothing_are_searched_around_the_safest_net(tmp_path: Path) -> None:
    budgets = toy_budgets(parameters=600, ms=0.6)
    evaluator = FormulaEvaluator()
    result = search(tmp_path, budgets, evaluator=evaluator)
    assert result.feasibility.feasible_fraction < 0.1
    assert len(result.trials) >= 10
    assert all(verdict.feasible for verdict in budgets.check_many(SPACE, evaluator.asked))


def test_more_trials_go_on_from_a_finished_search(tmp_path: Path) -> None:
    first = search(tmp_path, toy_budgets())
    more = SearchSettings(trials=80, feasibility_samples=60)
    second = search(tmp_path, toy_budgets(), settings=more)
    assert second.trials[:60] == first.trials
    assert len({trial.id for trial in second.trials}) == 80


def test_another_seed_does_not_resume(tmp_path: Path) -> None:
    search(tmp_path, toy_budgets())
    with pytest.raises(UserError, match="seed"):
        search(tmp_path, toy_budgets(), settings=SearchSettings(trials=60, seed=1))


_SEARCHER = """
import sys, time
from pathlib import Path
from tests.search.test_loop import FormulaEvaluator, search, toy_budgets
class Slow(FormulaEvaluator):
    def quality(self, architectures):
        sys.stdout.write("evaluating\\n")
        sys.stdout.flush()
        time.sleep(0.005)
        return super().quality(architectures)
search(Path(sys.argv[1]), toy_budgets(), evaluator=Slow())
"""


def test_kill_9_loses_at_most_the_trial_in_flight(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SEARCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout is not None
        for _ in range(30):
            killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        stored = store.trials()
    assert 29 <= len(stored) < 60
    result = search(tmp_path, toy_budgets())
    assert result.trials[: len(stored)] == stored
    assert len({trial.id for trial in result.trials}) == 60


def test_quality_decides_and_not_size(tmp_path: Path) -> None:
    result = search(tmp_path, toy_budgets())
    assert result.winners[0].quality == max(quality_of(trial.architecture) for trial in result.trials)


class FallingEvaluator(FormulaEvaluator):
    """Each network is worse than the one before."""

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        first = len(self.asked)
        self.asked.extend(architectures)
        return [1 - place / 1000 for place in range(first, len(self.asked))]


@pytest.mark.parametrize("strategy", [EVOLUTION, RANDOM, "regularised-evolution:population=12", "reinforce"])
def test_the_best_network_wins_and_not_the_last(tmp_path: Path, strategy: str) -> None:
    """A known fault of other searches: the result is what the strategy proposes in the end."""
    evaluator = FallingEvaluator()
    result = search(tmp_path, toy_budgets(), evaluator=evaluator, strategy=strategy)
    assert result.winners[0].architecture == evaluator.asked[0]
    assert result.winners[0].architecture != result.trials[-1].architecture


@pytest.mark.parametrize("wrong", [{"trials": 0}, {"winners": 0}, {"feasibility_samples": 0}])
def test_settings_have_least_values(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="greater than or equal to 1"):
        SearchSettings(**wrong)  # type: ignore[arg-type]


def test_importing_the_runner_loads_no_heavy_library() -> None:
    modules = "search.loop, search.strategies.registry"
    code = f"import sys, {modules}; print({{'torch', 'onnx', 'onnxruntime'}} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
