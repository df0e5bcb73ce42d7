import numpy as np
import pytest

from devices.statistics import bootstrap_median_interval, half_width_percent, interquartile_mean, spread_percent


@pytest.mark.parametrize("count", [15, 31])
def test_the_bootstrap_covers_the_median(count: int) -> None:
    """Percentile intervals of a median are known to be a little off at small counts; 0.90 to 0.99 is what they keep."""
    random = np.random.default_rng(1)
    trials, inside = 400, 0
    for _ in range(trials):
        sample = random.lognormal(0.0, 0.3, count)
        low, high = bootstrap_median_interval(list(sample), resamples=400, random=random)
        inside += low <= 1.0 <= high
    assert 0.90 <= inside / trials <= 0.99


def test_the_interval_shrinks_with_more_values() -> None:
    random = np.random.default_rng(2)
    widths = []
    for count in (10, 100, 1000):
        low, high = bootstrap_median_interval(list(random.normal(10, 1, count)), resamples=500, random=random)
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1] > 3 * widths[2]


def test_equal_values_have_an_interval_of_nothing() -> None:
    assert bootstrap_median_interval([3.0] * 5, resamples=50, random=np.random.default_rng(0)) == (3.0, 3.0)


def test_half_width_and_spread() -> None:
    assert half_width_percent(10.0, (9.0, 11.0)) == pytest.approx(10.0)
    assert spread_percent([9.0, 11.0]) == pytest.approx(100 * np.sqrt(2) / 10)
    assert spread_percent([5.0]) == 0.0


def test_interquartile_mean_ignores_outliers_and_resolves_below_one_unit() -> None:
    assert interquartile_mean([1, 2, 2, 3, 1, 2, 3, 900]) == pytest.approx(2.25)
    assert interquartile_mean([4.0]) == 4.0
