from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.ssh.address import SshAddress
from devices.ssh.host import SshHost
from devices.ssh.transport import SshTransport
from devices.worker.transport import Transport
from latseg.testing.transport_contract import TransportContract

HOST = SshHost(SshAddress("board"), ("numpy", "onnx"))


class TestSshTransport(TransportContract):
    @pytest.fixture
    def transport(self, fake_ssh: Path) -> Iterator[Transport]:
        made = SshTransport(HOST)
        yield made
        made.kill()
