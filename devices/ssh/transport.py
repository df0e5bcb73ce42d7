"""The way to a worker on another machine: an agent of ours at the other end of an ssh channel."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from typing_extensions import override

from devices.ssh.connection import Connection
from devices.ssh.frames import Frame
from devices.ssh.host import SshHost
from devices.worker.transport import ConnectionLostError, Transport
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES, read_regular
from foundation.temporary_folder import TemporaryFolder

_REPLY_S = 60.0
"""Time in which the agent begins to answer."""


class SshTransport(Transport):
    """One connection and one worker; files there lie in folders named by their SHA-256."""

    def __init__(self, host: SshHost) -> None:
        self._host = host
        self._connection: Connection | None = None
        self._there: set[str] = set()
        """Paths of the files that were brought."""
        self._received: deque[bytes] = deque()
        self._status = b""
        self._ending: str | None = None
        self._folder = TemporaryFolder()
        """For what comes from there."""

    @override
    def start(self, runtime: str, threads: int) -> None:
        self._connection = self._host.connect()
        self._connection.send("start", runtime=runtime, threads=threads)

    @override
    def put(self, path: Path, parts: Sequence[Path] = ()) -> str:
        files = {each.relative_to(path.parent).as_posix(): _content(each) for each in (path, *parts)}
        folder = PurePosixPath(self._opened.state.files, _digest(files))
        there = str(folder / path.name)
        if there not in self._there:
            for name, content in files.items():
                self._opened.send("put", content, path=str(folder / name))
            self._there.add(there)
        return there

    @override
    def get(self, path: str) -> Path:
        self._opened.send("get", path=path)
        received = self._folder.path / "received"
        received.write_bytes(self._awaited("file").content)
        return received

    @override
    def discard(self, path: str) -> None:
        self._opened.send("discard", path=str(PurePosixPath(path).parent))
        self._there.discard(path)

    @override
    def send(self, content: bytes) -> None:
        if self._ending is not None:
            raise BrokenPipeError(self._ending)
        self._opened.send("request", content)

    @override
    def receive(self, timeout_s: float) -> bytes | None:
        if not self._received and self._ending is None and (frame := self._opened.receive(timeout_s)):
            self._take(frame)
        if self._received:
            return self._received.popleft()
        return None if self._ending is None else b""

    @override
    def status(self) -> bytes:
        return self._status

    @override
    def ending(self) -> str:
        if self._ending is None:
            self._opened.send("end")
            self._take(self._awaited("ended"))
        return self._ending or ""

    @override
    def kill(self) -> None:
        if self._connection:
            self._host.close(self._connection)
        self._folder.close()

    @property
    def _opened(self) -> Connection:
        assert self._connection is not None, "start comes first"
        return self._connection

    def _awaited(self, kind: str) -> Frame:
        """The next frame of this kind; what comes before it is kept."""
        while frame := self._opened.receive(_REPLY_S):
            if frame.kind == kind:
                return frame
            self._take(frame)
        raise ConnectionLostError(f"the agent did not answer within {_REPLY_S:g} s")

    def _take(self, frame: Frame) -> None:
        if frame.kind == "answer":
            self._received.append(frame.content)
        elif frame.kind == "status":
            self._status = frame.content
        elif frame.kind == "ended":
            self._ending = frame.content.decode(errors="replace")


def _content(path: Path) -> bytes:
    """Of a file of the user's.

    Raises:
        UserError: it cannot be read, or is too large to be sent.
    """
    try:
        return read_regular(path, limit=MODEL_BYTES)
    except OSError as error:
        raise UserError(
            f"model {path}", seen=error.strerror or str(error), expected="a file that can be sent to another machine",
            remedy="measure it on that machine itself",
        ) from error  # fmt: skip


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()
