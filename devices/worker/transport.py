"""How a parent starts a worker, exchanges bytes and files with it, and ends it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from typing_extensions import override

import devices
from foundation.temporary_folder import TemporaryFolder

_ROOT = Path(devices.__file__).parent.parent
_FOR_WORKERS = ("devices", "foundation")
_END_S = 5.0
"""Time that a worker which has closed its pipe may take to end."""


class ConnectionLostError(Exception):
    """The way to the worker broke, or could not be opened; the text is the reason in one line.

    No candidate is at fault, and another worker may be reached. ``remedy`` is what the user can do about it.
    """

    remedy = "check the network"


class Transport(ABC):
    """The way to one worker process, on this machine or on another one.

    Every method except ``kill`` may raise ``ConnectionLostError`` where the worker is on another machine. Every
    implementation passes ``latseg.testing.transport_contract``.
    """

    @abstractmethod
    def start(self, runtime: str, threads: int) -> None:
        """Starts ``devices.worker.main`` with this runtime (``module:class``).

        Raises:
            DeviceUnavailableError: no worker can be started there.
        """

    @abstractmethod
    def put(self, path: Path, parts: Sequence[Path] = ()) -> str:
        """Brings a file to where the worker reads it and returns its path there.

        Args:
            path: the file.
            parts: files below its folder that are read together with it; they keep their places relative to it.
        """

    @abstractmethod
    def get(self, path: str) -> Path:
        """Brings a file to this machine and returns its path here, where the next one may replace it.

        It is one that was ``put``, or one that the worker wrote beside it.
        """

    @abstractmethod
    def discard(self, path: str) -> None:
        """Frees what ``put`` and the worker wrote for the file that ``put`` brought there; no file of the user's."""

    @abstractmethod
    def send(self, content: bytes) -> None:
        """Sends all of ``content`` to the worker.

        Raises:
            BrokenPipeError: the worker has ended.
        """

    @abstractmethod
    def receive(self, timeout_s: float) -> bytes | None:
        """The next bytes from the worker; None where none came in time, empty where the worker has ended."""

    @abstractmethod
    def status(self) -> bytes:
        """Content of the file in which the worker records its running candidate, as far as it is known here.

        Always empty where there is no such file; the worker then sends ``Step`` messages.
        """

    @abstractmethod
    def ending(self) -> str:
        """Why the worker ended, in one line; kills it first where it has not ended."""

    @abstractmethod
    def kill(self) -> None:
        """Ends the worker and frees everything that belongs to it; may be called twice."""


class LocalTransport(Transport):
    """A process on this machine, connected by pipes.

    Args:
        shared_status: whether the worker records its running candidate in a file that both processes have open.
            Writing to a file wakes no other process, writing to a pipe does.
        python: interpreter of another environment that starts the worker; only our own packages are on its path.
    """

    def __init__(self, *, shared_status: bool = True, python: Path | None = None) -> None:
        self._python = python
        self._status = tempfile.TemporaryFile() if shared_status else None  # noqa: SIM115 - closed by kill
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill
        self._folder = TemporaryFolder()
        """For whatever the worker and its runtime write; what is left is removed with it."""
        self._pipes: tuple[int, ...] = ()
        self._started = False

    @property
    def pid(self) -> int:
        """Of the worker process."""
        return self._process.pid

    @property
    def descriptor(self) -> int:
        """Readable where ``receive`` has something to give."""
        return self._answers

    @override
    def start(self, runtime: str, threads: int) -> None:
        request_read, self._requests = os.pipe()
        self._answers, answer_write = os.pipe()
        lifeline_read, lifeline = os.pipe()
        self._pipes = (self._requests, self._answers, lifeline)
        status = self._status.fileno() if self._status else -1
        descriptors = [request_read, answer_write, status, lifeline_read]
        self._process = subprocess.Popen(
            [
                self._python or sys.executable,
                "-P",
                "-m",
                "devices.worker.main",
                runtime,
                str(threads),
                *map(str, descriptors),
            ],
            pass_fds=[each for each in descriptors if each >= 0],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=worker_environment(self._folder.path, own=self._python is None),
        )
        self._started = True
        for descriptor in (request_read, answer_write, lifeline_read):
            os.close(descriptor)

    @override
    def put(self, path: Path, parts: Sequence[Path] = ()) -> str:
        return str(path.absolute())

    @override
    def get(self, path: str) -> Path:
        return Path(path)

    @override
    def discard(self, path: str) -> None:
        """Nothing was written: the worker reads the files where they are."""

    @override
    def send(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._requests, rest) :]

    @override
    def receive(self, timeout_s: float) -> bytes | None:
        if not select.select([self._answers], [], [], timeout_s)[0]:
            return None
        return os.read(self._answers, 1 << 20)

    @override
    def status(self) -> bytes:
        return os.pread(self._status.fileno(), 64, 0) if self._status else b""

    @override
    def ending(self) -> str:
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        last = last_line(self._errors)
        return f"{described(code)}: {last}" if last else described(code)

    @override
    def kill(self) -> None:
        if self._started:
            self._process.kill()
            self._process.wait()
        for descriptor in self._pipes:
            os.close(descriptor)
        self._pipes = ()
        self._errors.close()
        if self._status:
            self._status.close()
        self._folder.close()


def described(code: int) -> str:
    """How a process with this exit code ended, in words."""
    if code == -signal.SIGKILL:
        return "killed, probably out of memory"
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def last_line(errors: IO[bytes]) -> str:
    """The last line that a process printed to this file, at most 300 characters; empty where it printed none."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]


def worker_environment(temporary: Path, *, own: bool = True) -> dict[str, str]:
    """The environment of a process that works for this one; its temporary files lie in ``temporary``.

    Our own packages can be imported whatever the working directory is (``-P`` keeps it off the path).

    Args:
        temporary: its folder for temporary files.
        own: whether it runs this interpreter. Another one sees none of the packages that are installed beside ours.
    """
    if not own:
        packages = temporary / "packages"
        packages.mkdir()
        for name in _FOR_WORKERS:
            (packages / name).symlink_to(_ROOT / name)
        return {**os.environ, "PYTHONPATH": str(packages), "TMPDIR": str(temporary)}
    path = os.environ.get("PYTHONPATH")
    paths = f"{_ROOT}{os.pathsep}{path}" if path else str(_ROOT)
    return {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(temporary)}
