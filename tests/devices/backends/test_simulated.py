import logging
from dataclasses import replace
from pathlib import Path

import pytest
from onnx.parser import parse_model

from devices.backends.simulated.cost import kernel_costs
from devices.backends.simulated.device import SimulatedDevice
from devices.device import Candidate, Device
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from latseg.testing.device_contract import NOMINAL_MS, DeviceContract
from latseg.testing.nets import mobile_net, saved, small_net


class TestSimulated(DeviceContract):
    runtime_modules = ("onnxruntime", "openvino", "torch")
    construct = "from devices.registry import get_device; get_device('simulated').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return SimulatedDevice(noise=0.01, drift=0.1, seed=4)

    def test_says_that_it_is_simulated(self, measured: dict[str, Measurement]) -> None:
        assert all(result.simulated and result.started_at == "" for result in measured.values())


@pytest.fixture
def candidates(tmp_path: Path) -> list[Candidate]:
    return [
        Candidate("mobile", saved(mobile_net(), tmp_path / "mobile.onnx")),
        Candidate("small", saved(small_net(), tmp_path / "small.onnx")),
        Candidate("wide", saved(small_net(64), tmp_path / "wide.onnx")),
    ]


def _measure(device: Device, candidates: list[Candidate], seed: int = 0) -> list[Measurement]:
    results = device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=MeasurementProtocol(), seed=seed)
    return [result for result in results if isinstance(result, Measurement)]


def test_the_same_seed_gives_the_same_measurement(candidates: list[Candidate]) -> None:
    name = "simulated:noise=0.05,drift=0.3,seed=7"
    assert _measure(get_device(name), candidates, 3) == _measure(get_device(name), candidates, 3)
    assert _measure(get_device(name), candidates, 3) != _measure(get_device(name), candidates, 4)
    others = [name.replace("seed=7", "seed=8"), name.replace("0.05", "0.06"), name.replace("0.3", "0.4")]
    first = _measure(get_device(name), candidates, 3)[0]
    for other in others:
        assert _measure(get_device(other), candidates, 3)[0].latency_ms != first.latency_ms


def test_without_noise_the_latency_is_exact(candidates: list[Candidate]) -> None:
    still, drifting = SimulatedDevice(), SimulatedDevice(drift=0.5)
    for exact, moved in zip(_measure(still, candidates), _measure(drifting, candidates), strict=True):
        assert exact.converged
        assert exact.interval_ms[1] - exact.interval_ms[0] == pytest.approx(0, abs=1e-9)
        assert moved.latency_ms == pytest.approx(exact.latency_ms, rel=0.03)


def test_a_net_that_computes_nothing_takes_a_little(tmp_path: Path) -> None:
    nothing = parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,3] x) => (float[1,3] y) {y = Identity(x)}'
    )
    (result,) = _measure(SimulatedDevice(noise=0.01), [Candidate("nothing", saved(nothing, tmp_path / "nothing.onnx"))])
    assert result.latency_ms > 0


def test_more_work_takes_longer(candidates: list[Candidate]) -> None:
    latency = {result.label: result.latency_ms for result in _measure(SimulatedDevice(), candidates)}
    assert latency["small"] < latency["wide"]


def test_a_transposed_convolution_computes_for_each_input_position() -> None:
    signature = "(float[1,32,64,64] x, float[32,1,8,8] w) => (float[1,32,h,w] y)"
    costs = {
        stride: kernel_costs(
            parse_model(
                f'<ir_version: 8, opset_import: ["" : 17]> g {signature} {{'
                f"y = ConvTranspose <group = 32, strides = [{stride}, {stride}]> (x, w)}}"
            ),
            {},
        )[0].ms
        for stride in (1, 2)
    }
    # The same work; writing more numbers takes less than that.
    assert costs[1] == pytest.approx(costs[2])


def test_the_protocol_takes_out_drift(candidates: list[Candidate]) -> None:
    floor = SimulatedDevice(noise=0.01, drift=0.6).noise_floor(
        candidates[0], nominal_reference_ms=NOMINAL_MS, protocol=replace(MeasurementProtocol(), maximum_blocks=15)
    )
    assert floor.normalised_percent <= floor.raw_percent
    assert floor.normalised_percent < floor.raw_percent / 4


def test_where_there_is_no_drift_normalising_does_not_help(candidates: list[Candidate]) -> None:
    floor = SimulatedDevice(noise=0.2).noise_floor(
        candidates[0], nominal_reference_ms=NOMINAL_MS, protocol=MeasurementProtocol()
    )
    assert floor.normalised_percent > floor.raw_percent


def test_the_log_says_what_was_measured(candidates: list[Candidate], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="devices"):
        (result, *_) = _measure(SimulatedDevice(), candidates)
    lines = [record.getMessage() for record in caplog.records]
    assert f"measured mobile on simulated: {result.latency_ms:.4g} ms" in "\n".join(lines)
    assert len(lines) == len(candidates)
