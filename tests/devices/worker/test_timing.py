import math
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from devices.counted_blocks import counted_blocks
from devices.protocol import MeasurementProtocol
from devices.worker.runtime import BlockTime, LoadedModel, ModelFailedError, OperatorProfile
from devices.worker.timing import REFERENCE, Timing, time_group

PROTOCOL = MeasurementProtocol(minimum_blocks=5, maximum_blocks=30)


class Machine:
    """A clock that only models move, and the order of what they did."""

    def __init__(self, speed: Callable[[float], float] = lambda _: 1.0) -> None:
        self.now_ms = 0.0
        self.speed = speed
        self.log: list[tuple[str, int]] = []


class ScriptedModel(LoadedModel):
    load_ms = 1.0

    def __init__(self, machine: Machine, name: str, run_ms: float, *, fails_after: float = math.inf) -> None:
        self._machine = machine
        self._name = name
        self._run_ms = run_ms
        self._fails_after = fails_after
        self._blocks = 0

    def time_block(self, runs: int) -> BlockTime:
        self._blocks += 1
        if self._blocks > self._fails_after:
            raise ModelFailedError("scripted")
        self._machine.log.append((self._name, runs))
        taken = self._run_ms * runs * self._machine.speed(self._machine.now_ms)
        self._machine.now_ms += taken
        return BlockTime(runs, taken, taken)

    def profile(self, runs: int) -> OperatorProfile:
        return OperatorProfile("scripted")


def _time(machine: Machine, runs_ms: dict[str, float], protocol: MeasurementProtocol = PROTOCOL) -> list[Timing]:
    models: dict[int, LoadedModel] = {
        index: ScriptedModel(machine, name, ms) for index, (name, ms) in enumerate(runs_ms.items())
    }
    reference = ScriptedModel(machine, "reference", 1.0)
    timings = time_group(models, reference, protocol, random=np.random.default_rng(0))
    return [timing for timing in timings.values() if isinstance(timing, Timing)]


def test_ratio_to_the_reference() -> None:
    first, second = _time(Machine(), {"a": 2.0, "b": 0.5})
    assert first.ratio == pytest.approx(2.0)
    assert second.ratio == pytest.approx(0.5)
    assert first.converged
    assert len(first.blocks) == PROTOCOL.minimum_blocks
    assert first.cpu_per_wall == pytest.approx(1.0)
    assert first.first_run_ms == pytest.approx(2.0)


def test_a_steady_drift_cancels() -> None:
    slowing = Machine(lambda now: 1 + now / 1000)
    (timing,) = _time(slowing, {"a": 2.0})
    raw = [block.candidate_ms for block in timing.blocks]
    assert max(raw) / min(raw) > 1.05
    assert timing.ratio == pytest.approx(2.0, rel=0.001)


class Disturbed(ScriptedModel):
    """Slowed down by other work, while there is some, by a factor of its own."""

    def __init__(self, machine: Machine, name: str, run_ms: float, factor: float) -> None:
        super().__init__(machine, name, run_ms)
        self._factor = factor

    def time_block(self, runs: int) -> BlockTime:
        block = super().time_block(runs)
        slower = self._factor if self._machine.now_ms % 200 > 80 else 1.0
        return BlockTime(runs, block.wall_ms * slower, block.cpu_ms * slower)


@pytest.mark.parametrize(("quiet_percent", "steady"), [(5.0, True), (math.inf, False)])
def test_blocks_of_busy_moments_do_not_count(quiet_percent: float, steady: bool) -> None:
    """Most of the time is busy, and the net suffers more than the reference net."""
    machine = Machine()
    models: dict[int, LoadedModel] = {0: Disturbed(machine, "net", 2.0, 1.6)}
    protocol = replace(PROTOCOL, quiet_percent=quiet_percent, minimum_blocks=9, maximum_blocks=61)
    timing = time_group(models, Disturbed(machine, "reference", 1.0, 1.2), protocol, random=np.random.default_rng(0))[0]
    assert isinstance(timing, Timing)
    assert (timing.ratio == pytest.approx(2.0, rel=0.01)) == steady
    counted = counted_blocks(timing.blocks, quiet_percent)
    assert protocol.minimum_blocks <= len(counted)
    assert (len(counted) < len(timing.blocks)) == steady


def test_blocks_last_as_long_as_asked() -> None:
    machine = Machine()
    (fast, slow) = _time(machine, {"fast": 0.3, "slow": 25.0})
    assert {block.runs for block in fast.blocks} == {34}
    assert {block.runs for block in slow.blocks} == {1}


def test_every_timed_block_lies_between_reference_blocks() -> None:
    machine = Machine()
    _time(machine, {"a": 2.0, "b": 3.0, "c": 4.0})
    names = [name for name, runs in machine.log if runs > 1]
    rounds = names[-3 * 7 :]
    assert rounds[::2][:3] != []
    for position, name in enumerate(names[-7:]):
        assert (name == "reference") == (position % 2 == 0)


def test_an_untimed_run_precedes_every_timed_block() -> None:
    machine = Machine()
    _time(machine, {"a": 2.0, "b": 3.0})
    rounds = machine.log[-2 * 5 :]
    for untimed, timed in zip(rounds[::2], rounds[1::2], strict=True):
        assert untimed == (timed[0], 1)
        assert timed[1] > 1


class WaitingModel(ScriptedModel):
    """Of every run, a quarter of a millisecond is spent waiting for the core."""

    def time_block(self, runs: int) -> BlockTime:
        block = super().time_block(runs)
        return replace(block, waited_ms=0.25 * runs)


def test_waiting_is_kept_per_run_and_is_no_processor_time() -> None:
    machine = Machine()
    model, reference = WaitingModel(machine, "a", 2.0), ScriptedModel(machine, "reference", 1.0)
    model.load_ms = 3.0
    timing = time_group({0: model}, reference, PROTOCOL, random=np.random.default_rng(0))[0]
    assert isinstance(timing, Timing)
    assert {block.waited_ms for block in timing.blocks} == {0.25}
    assert timing.ratio == pytest.approx(1.75)
    assert timing.cpu_per_wall == pytest.approx(2.0 / 1.75)
    assert timing.load_ms == 3.0


def test_the_order_of_candidates_is_random_and_repeats_with_the_seed() -> None:
    logs = []
    for _ in range(2):
        machine = Machine()
        _time(machine, {"a": 2.0, "b": 3.0, "c": 4.0})
        logs.append(machine.log)
    assert logs[0] == logs[1]
    order = "".join(name for name, runs in logs[0] if name in "abc" and runs > 1)
    assert len({order[i : i + 3] for i in range(len(order) - 15, len(order), 3)}) > 1


def test_noise_runs_to_the_cap_and_says_so() -> None:
    random = np.random.default_rng(3)
    (timing,) = _time(Machine(lambda _: float(random.uniform(0.3, 3))), {"a": 2.0})
    assert not timing.converged
    assert len(timing.blocks) == PROTOCOL.maximum_blocks


def test_warm_up_ends_at_its_cap() -> None:
    machine = Machine(lambda now: 1 + math.sin(now))
    reference = ScriptedModel(machine, "reference", 7.0)
    for blocks in (4, 9):
        machine.log.clear()
        protocol = replace(PROTOCOL, maximum_warm_up_blocks=blocks, warm_up_agreement_percent=0.0)
        time_group({}, reference, protocol, random=np.random.default_rng(0))
        assert len(machine.log) == 1 + blocks


def test_warm_up_waits_for_agreement() -> None:
    machine = Machine(lambda now: 1 + 9 * math.exp(-now / 30))
    for percent, slowest in ((5.0, 1.3), (60.0, 9.0)):
        machine.now_ms = 0.0
        protocol = replace(PROTOCOL, warm_up_agreement_percent=percent)
        time_group({}, ScriptedModel(machine, "reference", 1.0), protocol, random=np.random.default_rng(0))
        assert machine.speed(machine.now_ms) < slowest
        assert percent < 10 or machine.speed(machine.now_ms) > 1.3


def test_a_failing_model_leaves_the_others_alone() -> None:
    machine = Machine()
    models: dict[int, LoadedModel] = {
        0: ScriptedModel(machine, "at once", 1.0, fails_after=0),
        1: ScriptedModel(machine, "later", 1.0, fails_after=9),
        2: ScriptedModel(machine, "good", 1.0),
    }
    steps: list[int] = []
    outcome = time_group(
        models,
        ScriptedModel(machine, "reference", 1.0),
        PROTOCOL,
        random=np.random.default_rng(0),
        on_step=steps.append,
    )
    assert isinstance(outcome[0], ModelFailedError)
    assert isinstance(outcome[1], ModelFailedError)
    assert isinstance(outcome[2], Timing)
    assert set(steps) == {0, 1, 2, REFERENCE}


def test_without_normalising_the_ratio_is_plain_milliseconds() -> None:
    machine = Machine(lambda _: 2.0)
    (timing,) = _time(machine, {"a": 3.0}, replace(PROTOCOL, normalise=False))
    assert timing.ratio == pytest.approx(6.0)


def _noisy(protocol: MeasurementProtocol) -> Timing:
    random = np.random.default_rng(3)
    (timing,) = _time(Machine(lambda _: float(random.uniform(0.98, 1.02))), {"a": 2.0}, protocol)
    return timing


CHANGES: dict[str, tuple[float, float, Callable[[Timing], float]]] = {
    "block_ms": (4.0, 40.0, lambda timing: timing.blocks[0].runs),
    "minimum_blocks": (5, 9, lambda timing: len(timing.blocks)),
    "maximum_blocks": (30, 40, lambda timing: len(timing.blocks)),
    "half_width_percent": (0.2, 5.0, lambda timing: len(timing.blocks)),
    "bootstrap_resamples": (2, 1000, lambda timing: timing.ratio_interval[1] - timing.ratio_interval[0]),
    "timeout_s": (0.1, 60.0, lambda timing: len(timing.blocks)),
    "normalise": (False, True, lambda timing: timing.ratio),
}
"""Field: a smaller and a larger value, and what the larger one raises (or, for ``normalise``, only changes)."""
ELSEWHERE = {
    "warm_up_agreement_percent": test_warm_up_waits_for_agreement,
    "maximum_warm_up_blocks": test_warm_up_ends_at_its_cap,
    "profile_runs": "tests/devices/worker/test_worker.py",
    "quiet_percent": test_blocks_of_busy_moments_do_not_count,
}


def test_every_field_of_the_protocol_has_a_test() -> None:
    assert CHANGES.keys() | ELSEWHERE.keys() == {each.name for each in fields(MeasurementProtocol)}


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_of_the_protocol_makes_a_difference(field: str) -> None:
    small, large, seen = CHANGES[field]
    base = replace(PROTOCOL, half_width_percent=1e-9 if field in ("maximum_blocks", "timeout_s") else 2.0)
    low, high = (seen(_noisy(replace(base, **{field: value}))) for value in (small, large))  # type: ignore[arg-type]
    if field in ("half_width_percent", "normalise"):
        assert low != high
    else:
        assert low < high


def test_each_step_names_the_model_that_runs_next_and_begins_between_blocks() -> None:
    """What happens at the beginning of a step, such as a message to another process, is in no block's time."""
    machine = Machine()
    steps: list[int] = []
    running: list[int] = []

    class Watched(ScriptedModel):
        key = REFERENCE

        def time_block(self, runs: int) -> BlockTime:
            assert steps[-1] == self.key
            running.append(self.key)
            try:
                return super().time_block(runs)
            finally:
                running.pop()

    def on_step(key: int) -> None:
        assert not running
        steps.append(key)

    models = {key: Watched(machine, str(key), 2.0 + key) for key in range(2)}
    for key, model in models.items():
        model.key = key
    time_group(models, Watched(machine, "reference", 1.0), PROTOCOL, random=np.random.default_rng(0), on_step=on_step)
    assert set(steps) == {0, 1, REFERENCE}
