"""A machine that is reached over ssh, and what was last seen of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from shlex import join, quote

from devices.ssh.address import SshAddress
from devices.ssh.connection import AgentFailedError, Connection
from devices.ssh.host_state import HostState
from devices.worker.transport import ConnectionLostError
from foundation.errors import DeviceUnavailableError

_LOAD_S = 30.0


@dataclass
class SshHost:
    """Opens connections; each is an agent of its own, and the last one tells the machine's state."""

    address: SshAddress
    packages: tuple[str, ...]
    """Distributions that the agent's interpreter must have."""
    _last: HostState | None = field(default=None, init=False)
    _lost: list[str] = field(default_factory=list, init=False)
    """Names of the folders of agents that may still be running."""

    def connect(self) -> Connection:
        """A new connection; agents whose connection was lost have ended then.

        Raises:
            ConnectionLostError: see ``Connection``.
            DeviceUnavailableError: see ``Connection``.
        """
        connection = Connection(self.address, self.packages, self._lost)
        self._lost = []
        self._last = connection.state
        return connection

    def close(self, connection: Connection) -> None:
        """Closes one that ``connect`` gave; may be called twice."""
        if not connection.close():
            self._lost.append(PurePosixPath(connection.state.files).name)

    def state(self) -> HostState:
        """As the last connection found the machine; opens one if there was none.

        Raises:
            DeviceUnavailableError: the machine cannot be reached, or misses Python or a package.
        """
        if self._last is None:
            self._connected().close()
        assert self._last is not None, "the connection has set it"
        if missing := self._last.missing:
            raise DeviceUnavailableError(
                f"machine {self.address}", seen=f"no {', '.join(missing)} for its Python {self._last.python}",
                expected=", ".join(self.packages), remedy=f"run `{self._installing(self._last.folder)}`",
            )  # fmt: skip
        return self._last

    def other_load(self) -> float:
        """Cores that programs of others use on that machine now.

        Raises:
            DeviceUnavailableError: it cannot be reached.
        """
        connection = self._connected()
        try:
            connection.send("load")
            frame = connection.receive(_LOAD_S)
        except ConnectionLostError as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        return float(frame.content) if frame else 0.0

    def _connected(self) -> Connection:
        try:
            return self.connect()
        except ConnectionLostError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: ConnectionLostError) -> DeviceUnavailableError:
        if isinstance(error, AgentFailedError):
            return DeviceUnavailableError(
                f"machine {self.address}", seen=str(error), expected="an agent that runs there",
                remedy="repair what it names on that machine and repeat the command",
            )  # fmt: skip
        command = join(["ssh", "-o", "BatchMode=yes", *self.address.words, "python3 -V"])
        return DeviceUnavailableError(
            f"machine {self.address}", seen=str(error), expected="a machine that ssh reaches without any question",
            remedy=f"make `{command}` work first",
        )  # fmt: skip

    def _installing(self, folder: str) -> str:
        """The command that gives the agent an environment of its own; system packages stay as they are."""
        venv = f"{folder}/venv"
        there = f"python3 -m venv {quote(venv)} && {quote(venv)}/bin/pip install {join(self.packages)}"
        return join(["ssh", *self.address.words, there])
