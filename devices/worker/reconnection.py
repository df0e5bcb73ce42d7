"""What happens where the way to a worker on another machine breaks, or a worker loses its runtime."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from devices.worker.transport import ConnectionLostError
from foundation.errors import DeviceUnavailableError

T = TypeVar("T")
PAUSES_S = (1.0, 5.0, 20.0)
"""Before the attempts that follow a first one; a wireless network or a reboot may take longer, a user may repeat."""
_logger = logging.getLogger(__name__)


class Reconnection:
    """Counts attempts that follow each other without any result.

    Args:
        device: its name, for messages.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._pauses = list(PAUSES_S)

    @property
    def is_spent(self) -> bool:
        """Whether the next loss without a result is the last one."""
        return not self._pauses

    def wait(self, lost: ConnectionLostError, *, progress: bool = False) -> None:
        """Waits until it is time for the next attempt; ``progress`` says that the last one gave results.

        Raises:
            DeviceUnavailableError: that was the last attempt.
        """
        if progress:
            self._pauses = list(PAUSES_S)
        if not self._pauses:
            raise DeviceUnavailableError(
                f"device {self._device!r}",
                seen=f"a connection that was lost {len(PAUSES_S) + 1} times in a row ({lost})",
                expected="a connection that holds",
                remedy=f"{lost.remedy} and repeat the command; what was measured is kept",
            ) from lost
        pause_s = self._pauses.pop(0)
        _logger.warning("%s: connection lost (%s), %s; next attempt in %g s", self._device, lost, lost.remedy, pause_s)
        sleep(pause_s)

    def call(self, function: Callable[[], T]) -> T:
        """What ``function`` returns, called again where the connection was lost.

        Raises:
            DeviceUnavailableError: as ``wait``.
        """
        while True:
            try:
                return function()
            except ConnectionLostError as lost:
                self.wait(lost)
