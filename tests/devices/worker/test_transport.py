from collections.abc import Iterator

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
