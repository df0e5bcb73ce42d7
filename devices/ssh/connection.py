"""One run of the user's ssh client with an agent of ours at its other end."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from shlex import join, quote
from typing import Any

from pydantic import TypeAdapter

from devices.ssh.address import SshAddress
from devices.ssh.frames import Frame, read_exactly, read_frame, write_exactly, write_frame
from devices.ssh.host_state import HostState
from devices.ssh.loader import MARK, SIZE_BYTES
from devices.ssh.sources import loader_text, own_sources
from devices.worker.runtime import one_line
from devices.worker.transport import ConnectionLostError, described, last_line
from foundation.errors import DeviceUnavailableError

_SSH = (
    "ssh", "-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "ClearAllForwardings=yes", "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4",
)  # fmt: skip
"""Never asks; notices within 20 seconds that the other side is gone."""
_SHELL = (
    'folder="${XDG_CACHE_HOME:-$HOME/.cache}/latseg/agent"; python="$folder/venv/bin/python"; '
    '[ -x "$python" ] || python=python3; command -v "$python" >/dev/null || exit 127; '
    'exec "$python" -c "$0" "$folder" "$@"'
)
_NO_PYTHON, _SSH_FAILED = 127, 255
_START_S = 60.0
_END_S = 5.0
_PROGRESS_S = 60.0
"""Longest time without a byte in the middle of a frame. ssh's keep-alive does not notice an agent that stands still."""
_BANNER_BYTES = 1 << 16
"""Most that a login shell may print before the agent answers."""


class AgentFailedError(ConnectionLostError):
    """ssh reached the machine, and the agent ended there."""


class Connection:
    """A started agent; ``close`` ends it.

    Args:
        address: the machine.
        packages: whose versions are looked up there.
        lost: names of the folders of agents that are ended first (see ``devices/ssh/agent.py``).

    Raises:
        ConnectionLostError: the machine cannot be reached, or its agent does not start.
        DeviceUnavailableError: there is no ssh client here, or no suitable Python there.
    """

    def __init__(self, address: SshAddress, packages: Sequence[str], lost: Sequence[str] = ()) -> None:
        self._address = address
        self._reached = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        words = ("exec", "sh", "-c", _SHELL, loader_text(), own_sources().digest, " ".join(lost), *packages)
        self._process = self._started([*_SSH, *address.words, join(words)])
        assert self._process.stdin is not None, "a pipe"
        assert self._process.stdout is not None, "a pipe"
        self._requests, self._answers = self._process.stdin, self._process.stdout
        os.set_blocking(self._requests.fileno(), False)
        try:
            self.state = self._state()
            """Of the machine, when the agent started."""
        except (ValueError, KeyError) as error:
            self.close()
            raise _unreadable(error) from error
        except BaseException:
            self.close()
            raise

    def send(self, kind: str, content: bytes = b"", **values: str | int) -> None:
        """Sends one frame.

        Raises:
            ConnectionLostError: the connection is lost.
        """
        self._write(lambda: write_frame(self._requests.fileno(), Frame(kind, values, content), _PROGRESS_S))

    def receive(self, timeout_s: float) -> Frame | None:
        """The next frame; None where none begins in time.

        Raises:
            ConnectionLostError: the connection is lost.
        """
        if not select.select([self._answers], [], [], timeout_s)[0]:
            return None
        try:
            return read_frame(self._read)
        except ValueError as error:
            raise _unreadable(error) from error

    def close(self) -> bool:
        """Ends the agent, and its worker with it; False where it may still be running. May be called twice."""
        for pipe in (self._requests, self._answers):
            pipe.close()
        code = self._code()
        self._errors.close()
        return code == 0

    def _started(self, words: list[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for the parent
            )  # fmt: skip
        except FileNotFoundError as error:
            self._errors.close()
            raise self._unusable("no program `ssh` on this machine", "OpenSSH's client", "install it") from error

    def _state(self) -> HostState:
        hello = self._hello()
        self._reached = True
        if not hello["usable"]:
            venv = quote(f"{hello['folder']}/venv")
            remedy = f"install it there and make an environment with it: `python3.11 -m venv {venv}`"
            raise self._unusable(f"Python {hello['python']} there", "Python 3.11 or newer", remedy)
        if not hello["known"]:
            archive = own_sources().archive
            content = len(archive).to_bytes(SIZE_BYTES, "big") + archive
            self._write(lambda: write_exactly(self._requests.fileno(), content, _PROGRESS_S))
        frame = self.receive(_START_S)
        if frame is None:
            raise ConnectionLostError(f"the agent did not start within {_START_S:g} s")
        return TypeAdapter(HostState).validate_python(frame.values)

    def _hello(self) -> dict[str, Any]:
        """What the loader says first, behind whatever the login shell prints."""
        end, line = time.monotonic() + _START_S, b""
        for _ in range(_BANNER_BYTES):
            if not select.select([self._answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise ConnectionLostError(f"no answer within {_START_S:g} s")
            line += self._read(1)
            if line.startswith(MARK.encode()) and line.endswith(b"\n"):
                hello: dict[str, Any] = json.loads(line.removeprefix(MARK.encode()))
                return hello
            line = b"" if line.endswith(b"\n") else line
        raise ConnectionLostError("the login shell prints without end")

    def _read(self, size: int) -> bytes:
        try:
            return read_exactly(self._answers.fileno(), size, _PROGRESS_S)
        except EOFError as error:
            raise self._failure() from error
        except TimeoutError as error:
            raise ConnectionLostError(str(error)) from error

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except BrokenPipeError as error:
            raise self._failure() from error
        except TimeoutError as error:
            raise ConnectionLostError(str(error)) from error

    def _failure(self) -> Exception:
        """Why the channel closed."""
        code, last = self._code(), last_line(self._errors)
        if code == _NO_PYTHON:
            return self._unusable("no python3 there", "Python 3.11 or newer", "install it there")
        if code == _SSH_FAILED:
            return ConnectionLostError(last or "ssh gave no reason")
        kind = AgentFailedError if self._reached and code >= 0 else ConnectionLostError  # a signal ended ssh, here
        return kind(f"the agent {described(code)}{f': {last}' if last else ''}")

    def _code(self) -> int:
        """Exit code of ssh, which ends now."""
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _unusable(self, seen: str, expected: str, remedy: str) -> DeviceUnavailableError:
        return DeviceUnavailableError(f"machine {self._address}", seen=seen, expected=expected, remedy=remedy)


def _unreadable(error: Exception) -> ConnectionLostError:
    return ConnectionLostError(f"what the agent sent cannot be read: {one_line(error)}")
