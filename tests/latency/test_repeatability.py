"""The noise floor that repeated measurements tell, and the interval in which further ones lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from devices.measurement import Block, Measurement, NoiseFloor
from latency.repeatability import repeat_interval_ms, repeatability
from tests.latency.measurements import INFO, measurement


def campaign(nets: int, passes: int, percent: float, seed: int = 0, *, busy_percent: float = 0.0) -> list[Measurement]:
    """Nets of other latencies whose measurements scatter by so much, on a machine whose speed scatters by so much."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(passes):
        for net in range(nets):
            ratio, slow = np.exp(random.normal(0, (percent / 100, busy_percent / 100)))
            latency_ms = (1 + net) * float(ratio)
            block = Block(5, latency_ms * float(slow), float(slow))
            found.append(replace(measurement(f"net{net}", latency_ms), blocks=(block,)))
    return found


def test_it_is_the_spread_of_one_measurement_over_all_nets() -> None:
    floor = repeatability(campaign(300, 3, 2.0))
    assert floor is not None
    assert floor.normalised_percent == pytest.approx(2.0, rel=0.1)
    assert floor.raw_percent == pytest.approx(2.0, rel=0.1)
    assert floor.repeats == 900


@pytest.mark.parametrize("normalise", [True, False])
def test_it_tells_normalised_from_plain_times_whichever_the_device_uses(normalise: bool) -> None:
    taken = [replace(one, protocol={"normalise": normalise}) for one in campaign(300, 3, 1.0, busy_percent=5.0)]
    if not normalise:
        taken = [replace(one, latency_ms=one.blocks[0].candidate_ms) for one in taken]
    floor = repeatability(taken)
    assert floor is not None
    assert floor.normalised_percent == pytest.approx(1.0, rel=0.1)
    assert floor.raw_percent == pytest.approx(5.1, rel=0.1)


def test_few_nets_or_no_repeats_tell_nothing() -> None:
    assert repeatability(campaign(9, 3, 2.0)) is None
    assert repeatability(campaign(30, 1, 2.0)) is None


def test_repeats_lie_in_the_stated_interval_as_often_as_it_says() -> None:
    floor = repeatability(campaign(300, 3, 2.0))
    assert floor is not None
    inside = []
    for first, second in zip(campaign(500, 1, 2.0, seed=1), campaign(500, 1, 2.0, seed=2), strict=True):
        narrow = replace(first, interval_ms=(first.latency_ms, first.latency_ms))
        low, high = repeat_interval_ms(narrow, floor)
        inside.append(low <= second.latency_ms <= high)
    assert 0.92 < np.mean(inside) < 0.98


def test_the_interval_is_no_narrower_than_that_of_the_blocks() -> None:
    wide = replace(measurement("net", 2.0), interval_ms=(1.0, 4.0))
    assert repeat_interval_ms(wide, NoiseFloor(1.0, 1.0, 5)) == (1.0, 4.0)


@pytest.mark.parametrize(("repeats", "simulated", "half_percent"), [(5, False, 3.4), (5, True, 0.6), (900, False, 0.6)])
def test_the_check_of_one_moment_does_not_know_other_moments(
    repeats: int, simulated: bool, half_percent: float
) -> None:
    one = measurement("net", 2.0, device=replace(INFO, simulated=simulated))
    narrow = replace(one, interval_ms=(2.0, 2.0))
    low, high = repeat_interval_ms(narrow, NoiseFloor(0.2, 0.2, repeats))
    assert 50 * (high - low) / 2.0 == pytest.approx(half_percent, rel=0.1)


def test_plain_times_have_the_noise_floor_of_plain_times() -> None:
    plain = replace(measurement("net", 2.0), protocol={"normalise": False})
    low, high = repeat_interval_ms(plain, NoiseFloor(50.0, 1.0, 900))
    assert 1.9 < low < high < 2.1
