"""A headless browser that shows one page and ends with this process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from shutil import which

from foundation.errors import DeviceUnavailableError
from foundation.temporary_folder import TemporaryFolder

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_END_S = 10.0
_VERSION_S = 60.0
_ENGINE_THREAD = "DedicatedWorker"
"""Chromium's name of the thread of a worker."""


def find_browser() -> str | None:
    """Path of Chromium or Chrome; None where there is none on the path."""
    return next((found for name in _NAMES if (found := which(name))), None)


@lru_cache
def browser_version(path: str) -> str:
    """Name and main version, such as ``Chromium 150``: what a program prints that updates itself every month.

    Raises:
        DeviceUnavailableError: it does not start, or does not answer.
    """
    try:
        command = [path, "--version"]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=_VERSION_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceUnavailableError(
            "browser", seen=str(error), expected="its version", remedy=f"make `{path} --version` work first"
        ) from error
    words = printed.split()
    at = next((position for position, word in enumerate(words) if word[:1].isdigit()), len(words))
    return " ".join([*words[:at], *(word.partition(".")[0] for word in words[at : at + 1])]) or "unknown"


class Browser:
    """Chromium or Chrome with a profile of its own.

    The pipe of its debugging interface is its lifeline: it ends when the other end is closed, even by SIGKILL.
    Source: ``--remote-debugging-pipe`` of Chromium, descriptors 3 and 4.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, path: str, address: str) -> None:
        self._folder = TemporaryFolder()
        self._errors = (self._folder.path / "errors").open("w+b")
        words = [path, *_FLAGS, *_sandbox(), "--remote-debugging-pipe", f"--user-data-dir={self._folder.path}", address]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
        )  # fmt: skip

    def ending(self) -> str:
        """The last line that it printed, once it has ended; empty while it lives."""
        if self._process.poll() is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it ended")

    def engine_threads(self) -> Iterator[Path]:
        """Folders of the threads in which pages run engines; none on systems other than Linux."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getsid(int(process.name)) == self._process.pid:
                    yield from (task for task in process.glob("task/*") if _name(task) == _ENGINE_THREAD)

    def close(self) -> None:
        """Ends it and removes its profile."""
        try:
            self._process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()
        self._folder.close()


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text().strip()
    except OSError:  # it has ended
        return ""


def _sandbox() -> Sequence[str]:
    """The sandbox of Chromium refuses root."""
    return ("--no-sandbox",) if os.geteuid() == 0 else ()
