from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.backends.ort.device import CpuDevice
from devices.ssh.address import SshAddress
from devices.ssh.host import SshHost
from devices.ssh.transport import SshTransport
from devices.worker.transport import Transport
from foundation.temporary_folder import owner
from latseg.testing.transport_contract import TransportContract
from tests.devices.ssh.conftest import SSH
from tests.devices.ssh.sshd import children
from tests.devices.ssh.test_ssh_device import _within

HOST = SshHost(SshAddress("board"), ("numpy", "onnx"))
DEAF = SSH.replace('exec sh -c "$*"', '{ cat; sleep 30; } | sh -c "$*"')
"""The agent does not notice that the connection breaks."""


class TestSshTransport(TransportContract):
    @pytest.fixture
    def transport(self, fake_ssh: Path) -> Iterator[Transport]:
        made = SshTransport(HOST)
        yield made
        made.kill()


def test_a_worker_whose_connection_was_lost_ends_before_another_one_starts(
    fake_ssh: Path, script: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.ssh.connection._END_S", 0.1)
    script("ssh", DEAF)
    host = SshHost(SshAddress("board"), ())
    lost = SshTransport(host)
    lost.start(CpuDevice.runtime, 1)
    files = Path(host.state().files)
    agent = owner(files)
    assert agent
    assert _within(20.0, lambda: bool(children(agent)))
    (worker,) = children(agent)
    lost.kill()
    assert owner(files) == agent
    script("ssh", SSH)
    host.connect().close()
    assert owner(files) is None
    assert not files.exists()
    assert _within(5.0, lambda: not Path("/proc", worker).exists())
