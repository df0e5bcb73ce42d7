"""What a lost connection costs: time, and no candidate anything."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from devices.device import Availability, Candidate
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from devices.worker import messages
from devices.worker.reconnection import PAUSES_S
from devices.worker.transport import ConnectionLostError, LocalTransport, Transport
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST, NOMINAL_MS
from latseg.testing.nets import saved, small_net
from tests.devices.worker.test_worker import BrokenDevice, MisbehavingDevice


class LosingTransport(LocalTransport):
    """Breaks before the answer that ``lost`` is true for."""

    def __init__(self, lost: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._lost = lost

    def receive(self, timeout_s: float) -> bytes | None:
        received = super().receive(timeout_s)
        if self._lost(received or b""):
            raise ConnectionLostError("the cable was pulled")
        return received


class LosingDevice(MisbehavingDevice):
    """Breaks the connections whose numbers are in ``broken``."""

    def __init__(self, *, threads: int = 1, broken: range = range(0), word: bytes = b"") -> None:
        super().__init__(threads=threads)
        self.connections = 0
        self._broken = broken
        self._word = word

    def transport(self) -> Transport:
        broken = self.connections in self._broken
        self.connections += 1
        return LosingTransport(lambda answer: broken and self._word in answer)


class LeavingDevice(BrokenDevice):
    """Is available until its first worker has been started."""

    def transport(self) -> Transport:
        self.left = True
        return super().transport()

    def availability(self) -> Availability:
        return Availability(not hasattr(self, "left"), "the page is not open", "open it")

    def info(self) -> DeviceInfo:
        """Known all the same."""
        return BrokenDevice().info()


class ClosedDevice(MisbehavingDevice):
    runtime = "tests.devices.worker.misbehaving:ClosedRuntime"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("devices.worker.reconnection.sleep", waited.append)
    return waited


def _candidates(folder: Path, count: int) -> list[Candidate]:
    return [Candidate(str(number), saved(small_net(), folder / f"{number}.onnx")) for number in range(count)]


def test_a_group_whose_connection_is_lost_is_measured_by_the_next(tmp_path: Path, pauses: list[float]) -> None:
    device = LosingDevice(broken=range(2))
    results = list(device.measure(_candidates(tmp_path, 2), nominal_reference_ms=NOMINAL_MS, protocol=FAST))
    assert [result.label for result in results if isinstance(result, Measurement)] == ["0", "1"]
    assert device.connections == 3
    assert pauses == list(PAUSES_S[:2])


def test_every_result_gives_new_attempts_and_is_kept(tmp_path: Path, pauses: list[float]) -> None:
    count = len(PAUSES_S) + 2
    device = LosingDevice(broken=range(100), word=messages.Done.__name__.encode())  # after the last result
    done = list(device.measure(_candidates(tmp_path, 1), nominal_reference_ms=NOMINAL_MS, protocol=FAST))
    assert len(done) == device.connections == 1
    device = LosingDevice(broken=range(100), word=b'"candidate": 1, "profile"')
    results = list(device.measure(_candidates(tmp_path, count), nominal_reference_ms=NOMINAL_MS, protocol=FAST))
    assert sorted(result.label for result in results) == [str(number) for number in range(count)]
    assert all(isinstance(result, Measurement) for result in results)
    assert device.connections == count
    assert set(pauses) == {PAUSES_S[0]}


def test_a_connection_that_never_holds_ends_in_one_error(tmp_path: Path, pauses: list[float]) -> None:
    device = LosingDevice(broken=range(100))
    results = device.measure(_candidates(tmp_path, 2), nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    with pytest.raises(DeviceUnavailableError, match=r"lost 4 times in a row \(the cable was pulled\).*is kept"):
        next(results)
    assert device.connections == 4
    assert pauses == list(PAUSES_S)


def test_inference_goes_on_with_another_worker(tmp_path: Path, pauses: list[float]) -> None:
    device = LosingDevice(broken=range(1))
    path = saved(small_net(), tmp_path / "good.onnx")
    image = np.ones((1, 6), np.float32)
    np.testing.assert_array_equal(device.infer(path, {"image": image})[0], 2 * image)
    assert device.connections == 2
    assert LosingDevice(broken=range(1)).footprint(path, {"image": image}).load_ms > 0
    for call in (LosingDevice(broken=range(100)).infer, LosingDevice(broken=range(100)).footprint):
        with pytest.raises(DeviceUnavailableError, match="lost 4 times"):
            call(path, {"image": image})


def test_the_look_at_the_runtime_goes_on_with_another_worker(tmp_path: Path, pauses: list[float]) -> None:
    device = LosingDevice(broken=range(1, 2))  # the second worker runs the reference net alone
    path = saved(small_net(), tmp_path / "spoils-reference.onnx")
    (result,) = device.measure([Candidate("net", path)], nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    assert not isinstance(result, Measurement)
    assert pauses == [PAUSES_S[0]]


def _named(folder: Path, *names: str) -> list[Candidate]:
    return [Candidate(name, saved(small_net(), folder / f"{name}.onnx")) for name in names]


@pytest.mark.parametrize("times", [1, 3])
def test_a_runtime_that_was_lost_is_no_candidates_fault(tmp_path: Path, pauses: list[float], times: int) -> None:
    candidates = _named(tmp_path, "first", f"lost-{times}", "last")
    results = list(MisbehavingDevice().measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST))
    assert [type(each) for each in results] == [Measurement] * 3
    assert pauses == list(PAUSES_S[:times])


def test_a_candidate_that_always_loses_the_runtime_costs_itself_only(tmp_path: Path, pauses: list[float]) -> None:
    candidates = _named(tmp_path, "first", "lost", "last")
    device = MisbehavingDevice()
    results = list(device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST))
    assert [type(each) for each in results] == [Measurement, FailedMeasurement, Measurement]
    assert isinstance(results[1], FailedMeasurement)
    assert results[1].reason == "the page was closed, 4 times in a row"


def test_a_runtime_that_is_always_lost_ends_in_one_error(tmp_path: Path, pauses: list[float]) -> None:
    (candidate,) = _named(tmp_path, "good")
    results = ClosedDevice().measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    for ask in (
        lambda: next(results),
        lambda: ClosedDevice().infer(candidate.path, {"image": np.ones((1, 6), np.float32)}),
    ):
        with pytest.raises(DeviceUnavailableError, match=r"was closed\).*; see that the page is open and repeat"):
            ask()


def test_a_runtime_that_is_lost_while_a_model_is_used_is_no_models_fault(tmp_path: Path, pauses: list[float]) -> None:
    image = np.ones((1, 6), np.float32)
    (first, second) = _named(tmp_path, "lost-2", "lost-1")
    np.testing.assert_array_equal(MisbehavingDevice().infer(first.path, {"image": image})[0], 2 * image)
    assert MisbehavingDevice().footprint(second.path, {"image": image}).load_ms > 0
    assert pauses == [*PAUSES_S[:2], PAUSES_S[0]]


def test_a_worker_that_does_not_start_is_no_models_fault(tmp_path: Path) -> None:
    (good,) = _named(tmp_path, "good")
    device = BrokenDevice()
    for use in (device.infer, device.footprint, device.infer):
        with pytest.raises(DeviceUnavailableError, match="got ended with exit code 3"):
            use(good.path, {"image": np.ones((1, 6), np.float32)})


def test_a_device_that_is_missing_by_now_says_so(tmp_path: Path) -> None:
    (good,) = _named(tmp_path, "good")
    image = {"image": np.ones((1, 6), np.float32)}
    for use in (
        lambda: LeavingDevice().infer(good.path, image),
        lambda: LeavingDevice().footprint(good.path, image),
        lambda: LeavingDevice()._check_runtime(FAST),
    ):
        with pytest.raises(DeviceUnavailableError, match=r"the page is not open.*open it"):
            use()
