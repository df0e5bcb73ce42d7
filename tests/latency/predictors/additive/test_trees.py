import numpy as np
import pytest

from latency.predictors.additive.trees import Trees


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(150, 5))
    return rows, np.sin(rows[:, 0]) + 0.3 * rows[:, 1] ** 2


def test_a_forest_answers_as_scikit_learn_does(data: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.ensemble import RandomForestRegressor

    rows, target = data
    weight = np.linspace(0.1, 1, len(rows))
    theirs = RandomForestRegressor(n_estimators=100, max_features=0.5, random_state=3).fit(rows, target, weight)
    fresh = np.random.default_rng(1).normal(size=(40, 5))
    ours = Trees.forest(rows, target, weight, seed=3)
    assert ours.predict(fresh) == pytest.approx(theirs.predict(fresh))


def test_boosting_learns(data: tuple[np.ndarray, np.ndarray]) -> None:
    rows, target = data
    trees = Trees.boosted(rows[:100], target[:100], seed=0)
    error = np.abs(trees.predict(rows[100:]) - target[100:]).mean()
    assert error < 0.5 * np.abs(target[100:] - target[:100].mean()).mean()


def test_arrays_are_all_it_is(data: tuple[np.ndarray, np.ndarray]) -> None:
    rows, target = data
    trees = Trees.boosted(rows, target, seed=0)
    arrays = dict(vars(trees))
    assert np.array_equal(Trees.from_arrays(arrays).predict(rows), trees.predict(rows))
    with pytest.raises(ValueError, match="outside"):
        Trees.from_arrays({**arrays, "left": arrays["left"] + 10**6})
