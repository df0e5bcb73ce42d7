from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.worker.transport import LocalTransport, Transport
from latseg.testing.transport_contract import TransportContract


class TestLocalTransport(TransportContract):
    @pytest.fixture
    def transport(self) -> Iterator[Transport]:
        made = LocalTransport()
        yield made
        made.kill()


class TestWithoutSharedStatus(TransportContract):
    @pytest.fixture
    def transport(self) -> Iterator[Transport]:
        made = LocalTransport(shared_status=False)
        yield made
        made.kill()


def test_what_did_not_start_can_be_ended(tmp_path: Path) -> None:
    transport = LocalTransport(python=tmp_path / "removed")
    with pytest.raises(FileNotFoundError):
        transport.start("module:Runtime", 1)
    transport.kill()
