"""What every device must do. Subclass, name the class ``Test…``, and give a ``device`` fixture."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices.backends.ort.calls import open_session, run_session, session_options
from devices.counted_blocks import counted_blocks
from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from devices.model_inputs import model_inputs, random_inputs
from devices.plausible import impossible_times
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.support import Verdict
from devices.tensor_graph import TensorGraph
from foundation.errors import UserError
from latseg.testing.nets import heavy_net, mobile_net, raw_model, saved, small_net

FAST = MeasurementProtocol(block_ms=1.0, minimum_blocks=5, maximum_blocks=7, maximum_warm_up_blocks=4, profile_runs=4)
NOMINAL_MS = 2.0
FEW = 2
"""Processes of a nominal time and of an A/A check, to save time."""


class DeviceContract:
    """The conformance suite of ``devices.device.Device``."""

    runtime_modules: tuple[str, ...] = ()
    """Modules that constructing the device must not import."""
    construct: str = ""
    """Expression that makes the device, for a fresh interpreter."""
    tolerance: float = 1e-4
    """Absolute, of the outputs (about one in size) beside those of ONNX Runtime."""

    @pytest.fixture(scope="class")
    @classmethod
    def measured(cls, device: Device, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measurement]:
        folder = tmp_path_factory.mktemp("models")
        candidates = [
            Candidate("mobile", saved(mobile_net(), folder / "mobile.onnx")),
            Candidate("small", saved(small_net(), folder / "small.onnx")),
            Candidate("dynamic", saved(small_net(size="side"), folder / "dynamic.onnx"), (("image", (1, 3, 48, 48)),)),
        ]
        results = list(device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST, seed=5))
        assert all(isinstance(result, Measurement) for result in results), results
        return {result.label: result for result in results if isinstance(result, Measurement)}

    def test_availability_agrees_with_info(self, device: Device) -> None:
        assert device.availability().available
        info = device.info()
        assert info.name == device.name
        assert info.hardware
        assert info.runtime_version
        assert info.threads >= 1

    def test_fingerprint_is_stable_and_ignores_the_moment(self, device: Device) -> None:
        info = device.info()
        assert info.fingerprint == device.info().fingerprint
        assert info.fingerprint == replace(info, clock_mhz=1.0, load_average=9.0).fingerprint
        assert info.fingerprint != replace(info, runtime_version="other").fingerprint
        assert info.fingerprint != replace(info, threads=info.threads + 1).fingerprint
        assert info.protocol_version == PROTOCOL_VERSION
        assert info.fingerprint != replace(info, protocol_version=PROTOCOL_VERSION - 1).fingerprint

    def test_constructing_loads_no_runtime(self) -> None:
        code = f"import sys; {self.construct}; sys.exit(any(m in sys.modules for m in {self.runtime_modules!r}))"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_takes_no_more_processor_time_than_its_threads_can(self, device: Device, tmp_path: Path) -> None:
        """A ratio of two times of the same moment: a busy machine can only lower it."""
        candidate = Candidate("heavy", saved(heavy_net(), tmp_path / "heavy.onnx"))
        protocol = replace(FAST, block_ms=20.0, profile_runs=0)
        for seed in range(3):
            (result,) = device.measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=protocol, seed=seed)
            assert isinstance(result, Measurement)
            assert result.cpu_per_wall <= 1.05 * device.info().threads

    def test_options_have_defaults(self, device: Device) -> None:
        assert type(device)().availability() == device.availability()

    def test_converts_to_its_format(self, device: Device, tmp_path: Path) -> None:
        path = saved(small_net(), tmp_path / "small.onnx")
        converted = device.convert(path)
        assert converted.exists()
        assert (converted == path) == (device.format == "onnx")
        assert device.convert(path) == converted

    def test_every_candidate_is_measured_once(self, measured: dict[str, Measurement]) -> None:
        assert sorted(measured) == ["dynamic", "mobile", "small"]

    def test_latency_is_the_median_ratio_times_the_nominal_time(self, measured: dict[str, Measurement]) -> None:
        for result in measured.values():
            counted = counted_blocks(result.blocks, FAST.quiet_percent)
            ratio = float(np.median([block.candidate_ms / block.reference_ms for block in counted]))
            assert result.latency_ms == pytest.approx(ratio * NOMINAL_MS)
            assert result.interval_ms[0] <= result.latency_ms <= result.interval_ms[1]

    def test_raw_samples_are_kept(self, measured: dict[str, Measurement]) -> None:
        for result in measured.values():
            raw = [block.wall_ms for block in result.blocks]
            assert FAST.minimum_blocks <= len(raw) <= FAST.maximum_blocks
            assert result.minimum_ms == min(raw)
            assert result.minimum_ms <= result.raw_median_ms <= result.p90_ms <= result.p99_ms
            assert result.first_run_ms > 0
            assert result.load_ms > 0
            assert all(math.isfinite(value) and value > 0 for value in raw)

    def test_every_number_is_one_that_a_clock_can_show(self, measured: dict[str, Measurement]) -> None:
        for result in measured.values():
            assert not impossible_times(result)

    def test_converged_says_whether_the_target_was_met(self, measured: dict[str, Measurement]) -> None:
        for result in measured.values():
            half = (result.interval_ms[1] - result.interval_ms[0]) / 2 / result.latency_ms * 100
            assert result.converged == (half < FAST.half_width_percent)

    def test_operators_add_up_to_the_latency(self, measured: dict[str, Measurement]) -> None:
        for result in measured.values():
            assert result.operators, result.profiler
            assert sum(row.ms for row in result.operators) == pytest.approx(result.latency_ms)
            assert all(row.ms >= 0 for row in result.operators)

    def test_operators_know_their_own_time(self, measured: dict[str, Measurement]) -> None:
        for result in measured.values():
            assert all(row.own_ms is not None and row.own_ms >= 0 for row in result.operators)
            assert sum(row.own_ms or 0.0 for row in result.operators) > 0

    def test_operators_name_tensors_of_the_users_model(self, measured: dict[str, Measurement]) -> None:
        graph = TensorGraph(mobile_net().graph)
        rows = measured["mobile"].operators
        for row in rows:
            assert row.outputs
            assert set(row.outputs) <= set(graph.producers)
            assert row.inputs
            assert set(row.inputs) <= set(graph.producers) | {"image"}
            assert len(row.output_shape) == 4
        made = [name for row in rows for name in row.outputs]
        assert len(made) == len(set(made))
        assert "logits" in made

    def test_every_node_of_the_model_belongs_to_a_row(self, measured: dict[str, Measurement]) -> None:
        """Walking back from what a row makes to what feeds it covers the model: nothing lies between rows."""
        graph = TensorGraph(mobile_net().graph)
        covered: set[str] = set()
        for row in measured["mobile"].operators:
            open_tensors = list(row.outputs)
            while open_tensors:
                tensor = open_tensors.pop()
                if tensor in covered or tensor not in graph.producers:
                    continue
                covered.add(tensor)
                feeds = graph.nodes[graph.producers[tensor]].input
                open_tensors += [name for name in feeds if name not in row.inputs]
        assert covered == set(graph.producers)

    def test_records_hash_shapes_and_protocol(self, measured: dict[str, Measurement]) -> None:
        assert measured["dynamic"].input_shapes == ((1, 3, 48, 48),)
        assert measured["small"].input_shapes == ((1, 3, 32, 32),)
        assert len({result.model_sha256 for result in measured.values()}) == 3
        assert measured["small"].protocol["block_ms"] == FAST.block_ms
        assert measured["small"].nominal_reference_ms == NOMINAL_MS

    def test_profiling_can_be_left_out(self, device: Device, tmp_path: Path) -> None:
        candidate = Candidate("small", saved(small_net(), tmp_path / "small.onnx"))
        protocol = replace(FAST, profile_runs=0)
        (result,) = device.measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=protocol)
        assert isinstance(result, Measurement)
        assert result.operators == ()

    def test_plain_times_where_normalising_is_off(self, device: Device, tmp_path: Path) -> None:
        candidate = Candidate("small", saved(small_net(), tmp_path / "small.onnx"))
        protocol = replace(FAST, profile_runs=0, normalise=False)
        (result,) = device.measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=protocol)
        assert isinstance(result, Measurement)
        assert result.latency_ms == pytest.approx(
            np.median([block.candidate_ms for block in counted_blocks(result.blocks, protocol.quiet_percent)])
        )

    def test_bad_files_are_refused_before_anything_is_timed(self, device: Device, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="does not exist"):
            device.measure([Candidate("gone", tmp_path / "gone.onnx")], nominal_reference_ms=1, protocol=FAST)
        dynamic = saved(small_net(size="side"), tmp_path / "dynamic.onnx")
        with pytest.raises(UserError, match="'image'"):
            device.measure([Candidate("dynamic", dynamic)], nominal_reference_ms=1, protocol=FAST)

    def test_nominal_reference_is_a_time(self, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devices.device.PROCESSES", FEW)
        assert device.nominal_reference_ms() > 0

    def test_noise_floor(self, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devices.device.PROCESSES", FEW)
        candidate = Candidate("small", saved(small_net(), tmp_path / "small.onnx"))
        floor = device.noise_floor(candidate, nominal_reference_ms=NOMINAL_MS, protocol=FAST)
        assert floor.normalised_percent >= 0
        assert floor.raw_percent >= 0
        assert floor.repeats >= FEW

    def test_infer_agrees_with_onnx_runtime(self, device: Device, tmp_path: Path) -> None:
        path = saved(mobile_net(), tmp_path / "mobile.onnx")
        image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
        (seen,) = device.infer(path, {"image": image})
        (expected,) = run_session(open_session(str(path), session_options(1)), {"image": image})
        np.testing.assert_allclose(np.asarray(seen, np.float32), np.asarray(expected, np.float32), atol=self.tolerance)

    def test_supports_what_it_infers(self, device: Device, tmp_path: Path) -> None:
        path = saved(mobile_net(), tmp_path / "mobile.onnx")
        image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
        answer = device.support(path, {"image": image})
        assert (answer.verdict, answer.reason) == (Verdict.SUPPORTED, "")
        if answer.outputs is not None:
            assert [output.shape for output in answer.outputs] == [(1, 2, 64, 64)]

    def test_infer_takes_dynamic_sizes(self, device: Device, tmp_path: Path) -> None:
        path = saved(small_net(size="side"), tmp_path / "dynamic.onnx")
        for side in (16, 24):
            (seen,) = device.infer(path, {"image": np.zeros((1, 3, side, side), np.float32)})
            assert seen.shape == (1, 2, side, side)

    def test_footprint_is_that_of_a_new_process(self, device: Device, tmp_path: Path) -> None:
        """Weights of 7 MB need more than those of 2 kB, whatever this device has run before."""
        found = []
        for name, net in (("heavy", heavy_net()), ("small", small_net())):
            path = saved(net, tmp_path / f"{name}.onnx")
            inputs = random_inputs(model_inputs(net, ()))
            device.infer(path, inputs)
            footprint = device.footprint(path, inputs)
            if footprint is None:
                pytest.skip("it cannot tell")
            assert footprint.load_ms > 0
            assert footprint.compute_units
            found.append(footprint.peak_memory_mb)
        if found[0] is not None and found[1] is not None:
            assert found[0] > found[1] > 10

    def test_infer_names_the_input_that_is_wrong(self, device: Device, tmp_path: Path) -> None:
        path = saved(small_net(), tmp_path / "small.onnx")
        with pytest.raises(UserError, match="'image'"):
            device.infer(path, {})
        with pytest.raises(UserError, match="1x3x32x32"):
            device.infer(path, {"image": np.zeros((1, 3, 8, 8), np.float32)})
        with pytest.raises(UserError, match="does not exist"):
            device.infer(tmp_path / "gone.onnx", {})


class RuntimeContract(DeviceContract):
    """For devices behind a real runtime, which may refuse an operator."""

    def test_an_operator_the_runtime_lacks_fails_that_candidate_only(self, device: Device, tmp_path: Path) -> None:
        unknown = saved(raw_model("NoSuchOperator", domain="com.microsoft"), tmp_path / "unknown.onnx")
        good = saved(small_net(), tmp_path / "small.onnx")
        candidates = [Candidate("unknown", unknown), Candidate("good", good)]
        results = {r.label: r for r in device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST)}
        failed = results["unknown"]
        assert isinstance(failed, FailedMeasurement)
        assert "NoSuchOperator" in failed.reason
        assert isinstance(results["good"], Measurement)
        with pytest.raises(UserError, match="NoSuchOperator"):
            device.infer(unknown, {"image": np.zeros((1, 3, 8, 8), np.float32)})

    def test_says_why_it_does_not_support_a_file(self, device: Device, tmp_path: Path) -> None:
        unknown = saved(raw_model("NoSuchOperator", domain="com.microsoft"), tmp_path / "unknown.onnx")
        answer = device.support(unknown, {"image": np.zeros((1, 3, 8, 8), np.float32)})
        assert (answer.verdict, answer.outputs) == (Verdict.UNSUPPORTED, None)
        assert "NoSuchOperator" in answer.reason
        assert len(answer.reason.splitlines()) == 1
