"""Devices over a real ``sshd`` on this machine."""

from __future__ import annotations

import os
import signal
import statistics
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from devices.backends.ort.device import CpuDevice
from devices.device import Candidate, Device
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from devices.ssh.connection import Connection
from devices.ssh.device import SshDevice
from devices.ssh.frames import Frame
from devices.ssh.transport import SshTransport
from devices.worker.transport import Transport
from foundation.errors import DeviceUnavailableError
from latency.campaign import run_campaign
from latency.campaign_items import CampaignItem, campaign_items
from latency.store import MeasurementStore
from latseg.testing.device_contract import RuntimeContract
from latseg.testing.nets import mobile_net, saved
from latseg.testing.transport_contract import TransportContract
from tests.devices.ssh.sshd import Sshd, running_sshd
from tests.devices.ssh.test_ssh_device import _within
from tests.latency.graphs import random_graph

pytestmark = pytest.mark.targets
CPU = "ssh://127.0.0.1/cpu"
QUICK = MeasurementProtocol(minimum_blocks=3, maximum_blocks=3, bootstrap_resamples=20, profile_runs=2)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as made:
        yield made


class TestSshTransport(TransportContract):
    @pytest.fixture
    def transport(self, sshd: Sshd) -> Iterator[Transport]:
        device = get_device(CPU)
        assert isinstance(device, SshDevice)
        made = SshTransport(device.host)
        yield made
        made.kill()


class TestSshCpu(RuntimeContract):
    runtime_modules = ("onnxruntime", "torch")
    construct = f"from devices.registry import get_device; get_device({CPU!r})"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls, sshd: Sshd) -> Device:
        return get_device(f"ssh://127.0.0.1:{sshd.port}/cpu")


def test_a_net_takes_as_long_as_without_ssh(sshd: Sshd, tmp_path: Path) -> None:
    """In turns, so that a change of the machine's speed is the same for both; the median of several."""
    candidate = Candidate("mobile", saved(mobile_net(), tmp_path / "mobile.onnx"))
    ratios = []
    for seed in range(5):
        there, here = (_latency_ms(device, candidate, seed) for device in (get_device(CPU), CpuDevice()))
        ratios.append(there / here)
    assert 0.9 < statistics.median(ratios) < 1.1, ratios


def _latency_ms(device: Device, candidate: Candidate, seed: int) -> float:
    (result,) = device.measure([candidate], nominal_reference_ms=1.0, protocol=MeasurementProtocol(), seed=seed)
    assert isinstance(result, Measurement)
    return result.latency_ms


def _items(count: int) -> list[CampaignItem]:
    return campaign_items([random_graph(Random(seed), 8) for seed in range(count)], 0)


def test_a_campaign_goes_on_over_lost_connections(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.reconnection.PAUSES_S", (0.1, 0.1))
    receive, frames, lost = Connection.receive, [0], [0]

    def cut(self: Connection, timeout_s: float) -> Frame | None:
        frame = receive(self, timeout_s)
        frames[0] += frame is not None
        if frames[0] % 40 == 0:
            frames[0] += 1
            lost[0] += 1
            self._process.send_signal(signal.SIGKILL)
        return frame

    monkeypatch.setattr(Connection, "receive", cut)
    with MeasurementStore(tmp_path / "store.sqlite") as store:
        result = run_campaign(get_device(CPU), store, _items(6), protocol=QUICK, group_size=2)
        assert result.measured == 6
        assert not result.failures
    assert lost[0] >= 1


def test_a_campaign_whose_machine_goes_away_keeps_what_was_measured(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.worker.reconnection.PAUSES_S", (0.1,))
    device, items = get_device(CPU), _items(6)
    with MeasurementStore(tmp_path / "store.sqlite") as store:
        first = run_campaign(device, store, items[:2], protocol=QUICK, group_size=2)
        assert first.measured == 2
        sshd.stop()
        try:
            with pytest.raises(DeviceUnavailableError, match=r"lost 2 times in a row .*Connection refused"):
                run_campaign(device, store, items, protocol=QUICK, group_size=2)
        finally:
            sshd.start()
        assert run_campaign(device, store, items, protocol=QUICK, group_size=2).measured == 4


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_there_ends_with_the_connection(sshd: Sshd, death: signal.Signals) -> None:
    device = get_device(CPU)
    assert isinstance(device, SshDevice)
    transport = SshTransport(device.host)
    transport.start("tests.devices.worker.misbehaving:MisbehavingRuntime", 1)
    assert _within(20.0, lambda: _processes(sshd) == 2)  # the agent and its worker
    assert transport._connection is not None
    transport._connection._process.send_signal(death)
    assert _within(20.0, lambda: _processes(sshd) == 0)
    transport.kill()
    assert not list((sshd.agent_folder / "work").iterdir())


def test_a_worker_that_a_dead_network_left_ends_before_the_next_one(sshd: Sshd) -> None:
    device = get_device(CPU)
    assert isinstance(device, SshDevice)
    transport = SshTransport(device.host)
    transport.start("tests.devices.worker.misbehaving:MisbehavingRuntime", 1)
    assert _within(20.0, lambda: _processes(sshd) == 2)
    sessions = list(sshd.sessions())
    for session in sessions:
        os.kill(session, signal.SIGSTOP)  # sshd hears nothing of the end
    try:
        transport.kill()
        assert _processes(sshd) == 2
        device.host.connect().close()
        assert _within(20.0, lambda: _processes(sshd) == 0)
    finally:
        for session in sessions:
            os.kill(session, signal.SIGCONT)


def _processes(sshd: Sshd) -> int:
    """Those whose environment names the agent's folder."""
    return sum(bytes(sshd.agent_folder) in _environment(entry) for entry in Path("/proc").glob("[0-9]*"))


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
