"""Devices over a program ``ssh`` that runs its command here; ``test_sshd.py`` has a real one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grimp
import numpy as np
import onnx
import pytest

from devices.backends.ort.device import CpuDevice
from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from devices.registry import DEVICES, get_device
from devices.ssh.address import SshAddress
from devices.ssh.connection import Connection
from devices.ssh.device import SshDevice, device_on
from devices.ssh.frames import Frame
from devices.worker.device import ProcessDevice
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST, NOMINAL_MS
from latseg.testing.nets import saved, small_net
from tests.devices.worker.test_worker import MisbehavingDevice

Script = Callable[[str, str], None]
IMAGE = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)


def _measured(device: Device, folder: Path, *names: str) -> dict[str, Measurement | FailedMeasurement]:
    candidates = [Candidate(name, saved(small_net(), folder / f"{name}.onnx")) for name in names]
    results = device.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    return {result.label: result for result in results}


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def _misbehaving() -> SshDevice:
    found = type(get_device("ssh://board/cpu"))
    return type("Misbehaving", (found,), {"runtime": MisbehavingDevice.runtime})()  # type: ignore[no-any-return]


def test_that_machine_is_asked_for_whatever_a_worker_imports() -> None:
    """Imports inside functions count, too."""
    graph = grimp.build_graph("devices", "foundation", include_external_packages=True, cache_dir=None)
    ours = {"devices", "foundation", *sys.stdlib_module_names}
    kinds = [kind for kind in map(DEVICES.get, DEVICES.names) if issubclass(kind, ProcessDevice) and kind.over_ssh]
    assert {"cpu", "litert", "mnn", "ncnn", "openvino"} <= {kind.name for kind in kinds}
    for kind in kinds:
        imported = graph.find_upstream_modules(kind.runtime.partition(":")[0])
        asked = device_on(SshAddress("board"), kind).host.packages
        assert {module.partition(".")[0] for module in imported} - ours <= set(asked), kind.name


def test_nets_are_measured_there_and_nothing_is_left(fake_ssh: Path, tmp_path: Path) -> None:
    device = get_device("ssh://me@board:2222/cpu:threads=2")
    result = _measured(device, tmp_path, "net")["net"]
    assert isinstance(result, Measurement)
    assert sum(row.ms for row in result.operators) == pytest.approx(result.latency_ms)
    info = device.info()
    assert result.device == info
    assert (info.name, info.hardware, info.threads) == ("ssh://me@board:2222/cpu", "Cortex-A76 (4 cores)", 2)
    assert (info.clock_mhz, info.load_average) == (2400.0, 0.25)
    assert info.runtime_version == CpuDevice().info().runtime_version
    assert info.fingerprint != get_device("cpu:threads=2").info().fingerprint
    assert "BatchMode=yes" in (words := (tmp_path / "words").read_text())
    assert "-p\n2222\n--\nme@board\n" in words
    assert not list((fake_ssh / "work").iterdir())


@pytest.mark.usefixtures("fake_ssh")
def test_boards_of_a_pool_share_what_is_to_be_measured(tmp_path: Path) -> None:
    boards = ["ssh://me@board1/cpu", "ssh://me@board2/cpu"]
    (tmp_path / "boards.txt").write_text("\n".join(boards))
    pool = get_device(f"pool:{tmp_path / 'boards.txt'}")
    found = _measured(pool, tmp_path, "one", "two")
    assert all(isinstance(each, Measurement) for each in found.values())
    assert sorted(each.device.unit for each in found.values()) == boards
    assert {each.device.fingerprint for each in found.values()} == {pool.info().fingerprint}


@pytest.mark.targets
def test_models_travel_with_their_weights_and_outputs_come_back(fake_ssh: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(small_net(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    device = get_device("ssh://board/cpu")
    for image in (IMAGE, 2 * IMAGE):
        (here,) = CpuDevice().infer(path, {"image": image})
        np.testing.assert_allclose(device.infer(path, {"image": image})[0], here, atol=1e-5)
    work = fake_ssh / "work"
    kept = {"net.onnx", "weights.bin"}  # no feeds, no outputs
    assert _within(5.0, lambda: {each.name for each in work.rglob("*") if each.is_file()} == kept)
    assert [len(each.parent.name) for each in work.rglob("net.onnx")] == [64]
    candidate = Candidate("net", path)
    (result,) = device.measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=FAST)
    assert isinstance(result, Measurement)


@pytest.mark.targets
@pytest.mark.parametrize("name", ["litert", "mnn", "ncnn", "openvino"])
def test_models_are_converted_here(fake_ssh: Path, tmp_path: Path, name: str) -> None:
    device, here = get_device(f"ssh://board/{name}"), get_device(name)
    if not here.availability().available:
        pytest.skip(here.availability().reason)
    path = saved(small_net(), tmp_path / "net.onnx")
    expected = CpuDevice().infer(path, {"image": IMAGE})[0]
    np.testing.assert_allclose(device.infer(path, {"image": IMAGE})[0], expected, atol=1e-4)
    assert device.info().settings == here.info().settings
    result = _measured(device, tmp_path, "net")["net"]
    assert isinstance(result, Measurement)
    assert result.operators, result.profiler


@pytest.mark.targets
def test_a_crash_there_is_the_candidates(fake_ssh: Path, tmp_path: Path) -> None:
    results = _measured(_misbehaving(), tmp_path, "good", "segfault", "last")
    failed = results.pop("segfault")
    assert isinstance(failed, FailedMeasurement)
    assert failed.reason == "crashed with SIGSEGV"
    assert all(isinstance(result, Measurement) for result in results.values())


@pytest.mark.targets
def test_a_hang_there_is_the_candidates(fake_ssh: Path, tmp_path: Path) -> None:
    candidates = [Candidate(name, saved(small_net(), tmp_path / f"{name}.onnx")) for name in ("good", "hang")]
    protocol = replace(FAST, timeout_s=2.0)
    results = _misbehaving().measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=protocol)
    failed = {result.label: result for result in results}
    assert isinstance(failed["good"], Measurement)
    assert isinstance(failed["hang"], FailedMeasurement)


def test_a_connection_lost_in_mid_group_fails_no_candidate(
    fake_ssh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.worker.reconnection.PAUSES_S", (0.01, 0.01, 0.01))
    opened: list[Connection] = []
    receive = Connection.receive

    def cut(self: Connection, timeout_s: float) -> Frame | None:
        frame = receive(self, timeout_s)
        if self not in opened:
            opened.append(self)
            if len(opened) < 3:
                self._process.kill()
        return frame

    device = get_device("ssh://board/cpu")
    device.info()
    monkeypatch.setattr(Connection, "receive", cut)
    results = _measured(device, tmp_path, "first", "second")
    assert [isinstance(result, Measurement) for result in results.values()] == [True, True]
    assert len(opened) == 3
    assert _within(5.0, lambda: not list((fake_ssh / "work").iterdir()))


def test_nothing_is_timed_on_an_emulated_processor(fake_ssh: Path, tmp_path: Path) -> None:
    with (tmp_path / "packages" / "sitecustomize.py").open("a") as file:
        file.write("hardware.emulator = lambda: 'qemu-arm'\n")
    device = get_device("ssh://board/cpu")
    assert device.info().hardware == "Cortex-A76 (4 cores), emulated by qemu-arm"
    for call in (device.nominal_reference_ms, lambda: _measured(device, tmp_path, "net")):
        with pytest.raises(DeviceUnavailableError, match="times mean something"):
            call()


@pytest.mark.parametrize("flag", ["avx512f", "amx_bf16"])
def test_the_precision_is_one_of_the_processor_there(fake_ssh: Path, tmp_path: Path, flag: str) -> None:
    pytest.importorskip("openvino")
    with (tmp_path / "packages" / "sitecustomize.py").open("a") as file:
        file.write(f"hardware.cpu_flags = lambda: frozenset({{{flag!r}}})\n")
    assert get_device("ssh://board/openvino-bf16").availability().available == (flag == "amx_bf16")
    assert get_device("ssh://board/openvino").availability().available


def test_a_machine_that_goes_away_ends_in_one_error(
    fake_ssh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setattr("devices.worker.reconnection.PAUSES_S", (0.01,))
    device = get_device("ssh://board/cpu")
    device.info()
    script("ssh", "#!/bin/sh\necho 'ssh: connect to host board port 22: No route to host' >&2\nexit 255\n")
    with pytest.raises(DeviceUnavailableError, match=r"lost 2 times in a row \(ssh: connect to host.*No route"):
        device.nominal_reference_ms()
