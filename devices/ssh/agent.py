"""Runs on the other machine: starts a worker there, and passes on what the worker and its parent say to each other.

``python -m devices.ssh.agent FOLDER LOST PACKAGE...``, started by ``devices/ssh/loader.py``. It needs the standard
library until a worker is started. It listens on no port: its input and output are the channel of ssh. When that closes,
it ends the worker and removes the files. While the worker measures, the agent looks twice a second at the file in which
the worker records what is running; the worker wakes nobody.

LOST names agents whose connection broke, by their folders. The network may have died without a word, so that they still
wait and their workers still measure: they are ended before this agent says that it is there.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from devices.other_load import other_load
from devices.ssh.frames import Frame, read_exactly, read_frame, write_frame
from devices.ssh.host_state import state_here
from foundation.temporary_folder import TemporaryFolder, owner

if TYPE_CHECKING:
    from devices.worker.transport import LocalTransport

_LOOK_S = 0.5
_END_S = 5.0


class Agent:
    """Serves one parent and one worker.

    Args:
        requests: descriptor from which the parent's frames are read.
        answers: descriptor to which frames are written.
        folder: for the files that the parent brings.
    """

    def __init__(self, requests: int, answers: int, folder: Path) -> None:
        self._requests = requests
        self._answers = answers
        self._folder = folder
        self._worker: LocalTransport | None = None
        self._running = False
        self._status = b""

    def serve(self) -> None:
        """Answers until the channel closes; then the worker has ended, too."""
        with suppress(EOFError, BrokenPipeError):
            while True:
                worker = self._worker if self._running else None
                sources = [self._requests, *([worker.descriptor] if worker else [])]
                ready = select.select(sources, [], [], _LOOK_S if worker else None)[0]
                if worker:
                    self._tell_status(worker)
                if worker and worker.descriptor in ready:
                    self._pass_on(worker)
                if self._requests in ready:
                    self._handle(read_frame(lambda size: read_exactly(self._requests, size)))
        if self._worker:
            self._worker.kill()

    def _tell(self, kind: str, content: bytes = b"") -> None:
        write_frame(self._answers, Frame(kind, content=content))

    def _tell_status(self, worker: LocalTransport) -> None:
        status = worker.status()
        if status != self._status:
            self._status = status
            self._tell("status", status)

    def _pass_on(self, worker: LocalTransport) -> None:
        if received := worker.receive(0):
            self._tell("answer", received)
        elif received == b"":
            self._end(worker)

    def _end(self, worker: LocalTransport) -> None:
        self._running = False
        self._tell("ended", worker.ending().encode())

    def _handle(self, frame: Frame) -> None:
        values, worker = frame.values, self._worker
        if frame.kind == "start":
            self._start(values["runtime"], values["threads"])
        elif frame.kind == "request" and worker:
            with suppress(BrokenPipeError):  # it has ended, which is said elsewhere
                worker.send(frame.content)
        elif frame.kind == "end" and worker and self._running:
            self._end(worker)
        elif frame.kind == "put":
            self._put(self._inside(values["path"]), frame.content)
        elif frame.kind == "get":
            self._tell("file", self._inside(values["path"]).read_bytes())
        elif frame.kind == "discard":
            shutil.rmtree(self._inside(values["path"]), ignore_errors=True)
        elif frame.kind == "load":
            self._tell("load", str(other_load()).encode())

    def _start(self, runtime: str, threads: int) -> None:
        from devices.worker.transport import LocalTransport

        self._worker = LocalTransport()
        self._worker.start(runtime, threads)
        self._running = True

    def _inside(self, name: str) -> Path:
        path = Path(os.path.normpath(self._folder / name))
        if self._folder not in path.parents:
            raise ValueError(f"{name} does not lie in the agent's folder")
        return path

    def _put(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)


def _end_agent(files: Path) -> None:
    """Ends the agent that has its files there, if there is one; its worker ends with it."""
    end = time.monotonic() + _END_S
    while (pid := owner(files)) and time.monotonic() < end:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def main() -> None:
    """Entry point of the agent; whatever prints in it prints to the channel of errors."""
    folder, lost, *packages = sys.argv[1:]
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    work = Path(folder, "work")
    work.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(work)
    for name in lost.split():
        _end_agent(work / name)
    with TemporaryFolder() as files:
        write_frame(answers, Frame("state", asdict(state_here(folder, str(files.path), packages))))
        Agent(requests, answers, files.path).serve()


if __name__ == "__main__":
    main()
