import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices.backends.ort.device import CpuDevice
from devices.conversion import ConversionCache
from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement
from devices.worker.transport import LocalTransport, Transport
from foundation.errors import DeviceUnavailableError, UserError
from latseg.testing.device_contract import FAST, NOMINAL_MS
from latseg.testing.nets import saved, small_net

PATIENCE_S = 20.0


class MisbehavingDevice(CpuDevice):
    name = "misbehaving"
    runtime = "tests.devices.worker.misbehaving:MisbehavingRuntime"


class BrokenDevice(CpuDevice):
    name = "broken"
    runtime = "tests.devices.worker.misbehaving:BrokenRuntime"


def _measure(folder: Path, *names: str, timeout_s: float = 30.0) -> dict[str, Measurement | FailedMeasurement]:
    candidates = [Candidate(name, saved(small_net(), folder / f"{name}.onnx")) for name in names]
    protocol = replace(FAST, timeout_s=timeout_s)
    results = list(MisbehavingDevice().measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=protocol))
    assert len(results) == len(names)
    return {result.label: result for result in results}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("segfault", "crashed with SIGSEGV"),
        ("exit", "ended with exit code 7: fatal: cannot allocate memory"),
        ("refused", "no such operator"),
        ("raises", "bad allocation"),
    ],
)
def test_a_failing_candidate_does_not_harm_the_others(
    tmp_path: Path, name: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="devices"):
        results = _measure(tmp_path, "first", name, "last")
    assert f"could not measure {name} on misbehaving: {reason}" in caplog.text
    failed = results[name]
    assert isinstance(failed, FailedMeasurement)
    assert failed.reason == reason
    assert len(failed.model_sha256) == 64
    assert isinstance(results["first"], Measurement)
    assert isinstance(results["last"], Measurement)


def test_a_model_that_needs_all_memory_costs_itself_only(tmp_path: Path) -> None:
    results = _measure(tmp_path, "hungry", "last")
    failed = results["hungry"]
    assert isinstance(failed, FailedMeasurement)
    assert "Unable to allocate" in failed.reason
    assert isinstance(results["last"], Measurement)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nan-clock", "a time of nan ms"),
        ("late-nan", "a time of nan ms"),
        ("infinite-clock", "a time of inf ms"),
        ("late-infinity", "a time of inf ms"),
        ("negative-clock", "a time of -1 ms"),
        ("stopped-clock", r"1000 runs a time of (0|-\d)"),
        ("nan-processor-time", "a processor time of nan ms"),
        ("nan-waiting", "a waiting time of nan ms"),
        ("nan-load", "a loading time in ms of nan"),
        ("nan-profile", r"operator time \(Conv\) in ms of nan"),
    ],
)
def test_a_clock_without_times_fails_its_candidate_only(tmp_path: Path, name: str, reason: str) -> None:
    results = _measure(tmp_path, "first", name, "last")
    failed = results[name]
    assert isinstance(failed, FailedMeasurement)
    assert re.search(f"the clock of the runtime gave .*{reason}", failed.reason), failed.reason
    assert isinstance(results["first"], Measurement)
    assert isinstance(results["last"], Measurement)


def test_a_clock_that_fails_on_the_reference_net_is_the_devices_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MisbehavingDevice, "runtime", "tests.devices.worker.misbehaving:ClocklessRuntime")
    with pytest.raises(DeviceUnavailableError, match=r"the reference net failed .*a time of nan ms"):
        MisbehavingDevice().nominal_reference_ms()


@pytest.mark.parametrize("name", ["hang", "hang-on-load"])
def test_a_hanging_candidate_is_given_up(tmp_path: Path, name: str) -> None:
    results = _measure(tmp_path, name, "good", timeout_s=1.0)
    failed = results[name]
    assert isinstance(failed, FailedMeasurement)
    assert "hung" in failed.reason
    assert isinstance(results["good"], Measurement)


def test_a_worker_has_a_time_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MisbehavingDevice, "runtime", "tests.devices.worker.misbehaving:WaitingRuntime:anything")
    monkeypatch.setattr(MisbehavingDevice, "start_s", 2.0)
    with pytest.raises(DeviceUnavailableError, match=r"hung: one step took longer than 2 s"):
        MisbehavingDevice()._check_runtime(replace(FAST, timeout_s=1.0))


def test_a_slow_candidate_ends_early_and_says_so(tmp_path: Path) -> None:
    slow = _measure(tmp_path, "slow", timeout_s=4.0)["slow"]
    assert isinstance(slow, Measurement)
    assert 3 <= len(slow.blocks) < FAST.minimum_blocks


def test_a_crash_under_the_profiler_keeps_the_timing(tmp_path: Path) -> None:
    results = _measure(tmp_path, "dies-in-profile", "good")
    crashed, good = results["dies-in-profile"], results["good"]
    assert isinstance(crashed, Measurement)
    assert crashed.operators == ()
    assert "exit code 9" in crashed.profiler
    assert isinstance(good, Measurement)
    assert good.operators


def test_a_runtime_that_cannot_start_is_no_candidates_fault(tmp_path: Path) -> None:
    candidates = [Candidate(name, saved(small_net(), tmp_path / "net.onnx")) for name in "ab"]
    results = BrokenDevice().measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    with pytest.raises(DeviceUnavailableError, match="exit code 3"):
        next(results)
    with pytest.raises(DeviceUnavailableError, match="exit code 3"):
        BrokenDevice().nominal_reference_ms()


@pytest.mark.parametrize("names", [("first", "spoils-reference", "last"), ("spoils-reference",)])
def test_a_candidate_that_spoils_the_reference_is_found(tmp_path: Path, names: tuple[str, ...]) -> None:
    results = _measure(tmp_path, *names)
    for name, result in results.items():
        assert isinstance(result, FailedMeasurement) == (name == "spoils-reference")


def test_a_slow_candidate_is_profiled_as_often_as_time_allows(tmp_path: Path) -> None:
    for name, timeout_s, expected in (("slow", 4.0, "3 runs"), ("slow", 2.0, "too long"), ("good", 4.0, "4 runs")):
        result = _measure(tmp_path, name, timeout_s=timeout_s)[name]
        assert isinstance(result, Measurement)
        assert expected in result.profiler


def test_leaving_the_iteration_ends_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = LocalTransport.start

    def recording(self: LocalTransport, runtime: str, threads: int) -> None:
        start(self, runtime, threads)
        started.append(self.pid)

    monkeypatch.setattr(LocalTransport, "start", recording)
    candidates = [Candidate(name, saved(small_net(), tmp_path / "net.onnx")) for name in "ab"]
    results = CpuDevice().measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    next(results)
    assert len(started) == 1
    assert _alive(started[0])
    results.close()  # type: ignore[attr-defined]
    assert not _alive(started[0])


PARENT = """
import sys
from pathlib import Path
from devices.protocol import MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.worker.client import WorkerClient
from devices.worker.messages import Measure
from devices.worker.runtime import ModelFile
with WorkerClient("tests.devices.worker.misbehaving:MisbehavingRuntime", 1, 600.0) as worker:
    reference, hang = (ModelFile(Path(path), Path(path), ()) for path in (REFERENCE_NET, sys.argv[1]))
    protocol = MeasurementProtocol(timeout_s=float(sys.argv[2]))
    worker.send(Measure(reference, (hang,), protocol, seed=0))
    print(worker.transport.pid, flush=True)
    worker.receive()
"""


@pytest.mark.parametrize("name", ["hang", "hang-on-load", "hang-with-lock"])
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGINT])
def test_the_worker_dies_with_its_parent(tmp_path: Path, death: signal.Signals, name: str) -> None:
    path = saved(small_net(), tmp_path / f"{name}.onnx")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path), "600"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(2)  # the worker gets to the place where it hangs
    assert _alive(worker)
    parent.send_signal(death)
    assert parent.wait(PATIENCE_S) != 0
    parent.stdout.close()
    assert _within(PATIENCE_S, lambda: not _alive(worker))


def test_a_worker_whose_parent_does_not_watch_is_ended_by_its_alarm(tmp_path: Path) -> None:
    """The parent would wait for ten minutes; the worker's own alarm comes after three timeouts."""
    path = saved(small_net(), tmp_path / "hang.onnx")
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, str(path), "0.3"], capture_output=True, text=True, timeout=120, check=False
    )
    assert "crashed with SIGALRM" in parent.stderr


def test_the_garbage_collector_rests_while_timing(tmp_path: Path) -> None:
    result = _measure(tmp_path, "collects-garbage")["collects-garbage"]
    assert isinstance(result, Measurement)
    assert result.profiler == "garbage collection while timing: False"


def test_five_processes_give_the_nominal_time(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    start = LocalTransport.start

    def recording(self: LocalTransport, runtime: str, threads: int) -> None:
        started.append(runtime)
        start(self, runtime, threads)

    monkeypatch.setattr(LocalTransport, "start", recording)
    assert MisbehavingDevice().nominal_reference_ms() > 0
    assert started == [MisbehavingDevice.runtime] * 5


class PipeOnlyDevice(MisbehavingDevice):
    """Its worker has no file in common with the parent."""

    def transport(self) -> Transport:
        return LocalTransport(shared_status=False)


@pytest.mark.parametrize("name", ["segfault", "hang", "hang-on-load"])
def test_without_a_shared_file_messages_say_which_candidate_runs(tmp_path: Path, name: str) -> None:
    candidates = [Candidate(each, saved(small_net(), tmp_path / f"{each}.onnx")) for each in ("good", name)]
    protocol = replace(FAST, timeout_s=2.0)
    results = PipeOnlyDevice().measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=protocol)
    by_label = {result.label: result for result in results}
    assert isinstance(by_label["good"], Measurement)
    assert isinstance(by_label[name], FailedMeasurement)


class ConvertingDevice(MisbehavingDevice):
    """Its runtime reads files of another format."""

    format = "other"

    def __init__(self, *, threads: int = 1) -> None:
        super().__init__(threads=threads)
        self.converted: list[Path] = []
        self._cache = ConversionCache("good.other", self._write)

    def convert(self, onnx: Path) -> Path:
        return self._cache.get(onnx)

    def _write(self, onnx: Path, target: Path) -> None:
        self.converted.append(onnx)
        if onnx.stem == "cannot-be-converted":
            raise UserError("model", seen="Loop", expected="no loops", remedy="unroll it")
        target.write_bytes(onnx.read_bytes())


def test_models_are_converted_once_and_a_refusal_is_that_candidates_failure(tmp_path: Path) -> None:
    # Were the ONNX file itself given to the runtime, the crash in its name would happen.
    names = {"segfault": 1, "exit": 1, "cannot-be-converted": 2}
    candidates = [
        Candidate(name, saved(small_net(seed=seed), tmp_path / f"{name}.onnx")) for name, seed in names.items()
    ]
    device = ConvertingDevice()
    results = {
        result.label: result for result in device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    }
    assert isinstance(results["segfault"], Measurement)
    assert isinstance(results["exit"], Measurement)
    assert isinstance(results["cannot-be-converted"], FailedMeasurement)
    assert "Loop" in results["cannot-be-converted"].reason
    assert [path.stem for path in device.converted] == ["segfault", "cannot-be-converted", "reference_net"]
    assert device.convert(tmp_path / "exit.onnx").name == "good.other"
    image = np.ones((1, 6), np.float32)
    np.testing.assert_array_equal(device.infer(tmp_path / "segfault.onnx", {"image": image})[0], 2 * image)


def _alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_worker_ignores_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    path = saved(small_net(), tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    candidate = Candidate("net", Path(os.path.relpath(path)))
    (result,) = CpuDevice().measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    assert isinstance(result, Measurement)
