"""What the base class derives from the four abstract methods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import Block, FailedMeasurement, Measurement
from devices.protocol import MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from foundation.errors import DeviceUnavailableError
from tests.latency.measurements import measurement


@dataclass
class ScriptedDevice(Device):
    """Gives the latencies of a list, one per measured candidate, and records how it was called."""

    latencies_ms: Sequence[float]
    name: str = "scripted"
    calls: list[tuple[list[Candidate], float, MeasurementProtocol, int]] = field(default_factory=list)

    def availability(self) -> Availability:
        return Availability(True)

    def info(self) -> DeviceInfo:
        return DeviceInfo("scripted", "none", "none", "1", 1, "float32")

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        start = sum(len(call[0]) for call in self.calls)
        self.calls.append((list(candidates), nominal_reference_ms, protocol, seed))
        for candidate, ms in zip(candidates, self.latencies_ms[start:], strict=False):
            if ms < 0:
                yield FailedMeasurement(candidate.label, "", self.info(), "crashed with SIGSEGV")
            else:
                plain = tuple(Block(1, 10 * ms, 1.0, 0.0) for _ in range(3))
                yield replace(measurement(candidate.label, ms), blocks=plain)

    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        raise NotImplementedError


def test_nominal_time_is_the_median_over_five_processes() -> None:
    device = ScriptedDevice([1.0, 9.0, 2.0, 8.0, 3.0])
    assert device.nominal_reference_ms() == 3.0
    assert len(device.calls) == 5
    assert len({seed for _, _, _, seed in device.calls}) == 5
    for candidates, _, protocol, _ in device.calls:
        assert [candidate.path for candidate in candidates] == [REFERENCE_NET]
        assert not protocol.normalise
        assert protocol.profile_runs == 0


def test_noise_floor_is_the_spread_over_two_labels_in_five_processes() -> None:
    device = ScriptedDevice([9.0, 11.0] * 5)
    candidate = Candidate("net", Path("net.onnx"), (("image", (1, 3, 8, 8)),))
    protocol = MeasurementProtocol(block_ms=3.0, normalise=False)
    floor = device.noise_floor(candidate, nominal_reference_ms=2.5, protocol=protocol, seed=7)
    expected = 100 * np.std([9.0, 11.0] * 5, ddof=1) / 10
    assert floor.normalised_percent == floor.raw_percent == pytest.approx(expected)
    assert floor.repeats == 5
    assert [seed for _, _, _, seed in device.calls] == [7, 8, 9, 10, 11]
    for twins, nominal_ms, used, _ in device.calls:
        assert len({twin.label for twin in twins}) == 2
        assert {(twin.path, twin.input_shapes) for twin in twins} == {(candidate.path, candidate.input_shapes)}
        assert nominal_ms == 2.5
        assert used == replace(protocol, normalise=True, profile_runs=0)


def test_the_plain_spread_is_that_of_the_blocks() -> None:
    class Steady(ScriptedDevice):
        def measure(self, *args: object, **settings: object) -> Iterator[Measurement | FailedMeasurement]:
            for result in super().measure(*args, **settings):  # type: ignore[arg-type]
                yield replace(result, latency_ms=1.0)  # type: ignore[arg-type]

    floor = Steady([9.0, 11.0] * 5).noise_floor(
        Candidate("net", Path("net.onnx")), nominal_reference_ms=1.0, protocol=MeasurementProtocol()
    )
    assert floor.normalised_percent == 0.0
    assert floor.raw_percent > 5


def test_a_failure_is_the_devices() -> None:
    with pytest.raises(DeviceUnavailableError, match="SIGSEGV"):
        ScriptedDevice([1.0, -1.0]).nominal_reference_ms()
    with pytest.raises(DeviceUnavailableError, match=r"net \(B\).*SIGSEGV"):
        ScriptedDevice([1.0, -1.0]).noise_floor(
            Candidate("net", Path("net.onnx")), nominal_reference_ms=1.0, protocol=MeasurementProtocol()
        )


def test_a_device_that_reads_onnx_converts_nothing(tmp_path: Path) -> None:
    device = ScriptedDevice([])
    assert device.format == "onnx"
    assert device.convert(tmp_path / "net.onnx") == tmp_path / "net.onnx"
