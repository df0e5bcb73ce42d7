"""A predictor is asked once for each trial: another calibration, or another process, needs no new prediction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from devices.device_info import DeviceInfo
from foundation.salvage import examine
from latency.bounded import BoundedPredictor
from latency.calibration import FOREIGN_WIDENING, ISOLATED_WIDENING, UNSEEN_WIDENING, Calibration
from latency.operators.operator import OperatorGraph
from latency.predictor import LatencyPredictor, Prediction
from search.constraints.budgets import Budgets, LatencyBudget
from search.trial import Trial
from search.trials import TrialStore
from search.winners.selection import predicted_again
from tests.search.test_loop import search
from tests.search.test_trials import make_trials
from tests.search.toy import FormulaPredictor, ToySpace

INFO = DeviceInfo("toy", "none", "none", "1.0", 1, "float32")
RATIOS = [1.05] * 20


class Counting(LatencyPredictor):
    """A formula that counts the nets that it predicts; of each net one operator was never measured, one only alone."""

    name = "counting"

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.nets = 0

    def fit(self, samples: Sequence[object], *, seed: int = 0) -> None:
        raise NotImplementedError

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        self.nets += len(graphs)
        times = [self.scale * FormulaPredictor().true_ms(graph) for graph in graphs]
        return [Prediction(ms, (0.1 * ms, 0.2 * ms, 0.7 * ms), 0.0, (0,), (1,)) for ms in times]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> LatencyPredictor:
        raise NotImplementedError


def bounded(predictor: LatencyPredictor, identity: str) -> BoundedPredictor:
    return BoundedPredictor(predictor, Calibration.of(RATIOS), INFO, identity=identity)


def budgets_with(*predictors: BoundedPredictor) -> Budgets:
    return Budgets(None, tuple(LatencyBudget(f"toy {i}", 3.0, one) for i, one in enumerate(predictors)))


def test_another_calibration_bounds_known_predictions() -> None:
    counting = Counting()
    predictor, trials = bounded(counting, "a"), make_trials(5)
    first = predicted_again(trials, ToySpace(), budgets_with(predictor))
    recalibrated = predictor.recalibrated([1.3])
    second = predicted_again(first, ToySpace(), budgets_with(recalibrated))
    assert counting.nets == 5
    expected = recalibrated.predict([ToySpace().lower(trial.architecture) for trial in trials])
    assert [trial.predicted_ms["toy 0"] for trial in second] == [one.latency_ms for one in expected]
    assert [trial.upper_ms["toy 0"] for trial in second] == [one.upper_ms for one in expected]
    factor = 1.3 + 0.1 * UNSEEN_WIDENING + 0.2 * ISOLATED_WIDENING + 0.7 * FOREIGN_WIDENING
    assert second[0].upper_ms["toy 0"] == pytest.approx(factor * second[0].predicted_ms["toy 0"])


@pytest.mark.parametrize("identities", [("b", "b"), ("a", "b"), ("", ""), ("a", "")])
def test_another_predictor_predicts_anew(identities: tuple[str, str]) -> None:
    """One device of two with another predictor, or with one that cannot be recognised, is enough."""
    first, second = Counting(), Counting(scale=2.0)
    before = predicted_again(make_trials(5), ToySpace(), budgets_with(bounded(first, "a"), bounded(first, "a")))
    now = budgets_with(*(bounded(second, identity) for identity in identities))
    after = predicted_again(before, ToySpace(), now)
    assert second.nets == 10
    for old, new in zip(before, after, strict=True):
        assert new.predicted_ms == {device: pytest.approx(2 * ms) for device, ms in old.predicted_ms.items()}
        assert {one.predictor for one in new.predictions.values()} == {name for name in identities if name}


def nets_predicted(folder: Path, identity: str) -> int:
    """By a search that is begun or resumed with this predictor."""
    counting = Counting()
    budgets = Budgets(None, (LatencyBudget("toy", 3.0, bounded(counting, identity)),))
    assert len(search(folder, budgets).trials) == 60
    return counting.nets


def test_a_resumed_search_predicts_its_trials_only_for_another_predictor(tmp_path: Path) -> None:
    nets_predicted(tmp_path, "a")
    before = nets_predicted(tmp_path, "a")
    assert nets_predicted(tmp_path, "b") == before + 60
    assert nets_predicted(tmp_path, "b") == before


def predicted_trials() -> list[Trial]:
    return predicted_again(make_trials(3), ToySpace(), budgets_with(bounded(Counting(), "a")))


def test_known_predictions_come_back(tmp_path: Path) -> None:
    path, trials = tmp_path / "trials.sqlite", predicted_trials()
    with TrialStore(path) as store:
        for trial in trials:
            store.add(trial)
        assert store.trials() == trials
        again = predicted_again(trials, ToySpace(), budgets_with(bounded(Counting(), "b")))
        store.add_predictions(again[:1])
        assert [trial.predictions for trial in store.trials()] == [
            trial.predictions for trial in (again[0], *trials[1:])
        ]


def test_a_store_of_an_older_version_gets_their_table(tmp_path: Path) -> None:
    path, trials = tmp_path / "trials.sqlite", predicted_trials()
    with TrialStore(path) as store:
        store.add(trials[0])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE predictions")
        connection.commit()
    assert examine(path, TrialStore.schema, TrialStore.checks).faults == []
    with TrialStore(path) as store:
        store.add(trials[1])
        assert store.trials() == [replace(trials[0], predictions={}), trials[1]]
