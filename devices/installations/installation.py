"""What is installed on demand, and where."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.regular_file import read_regular

OnLine = Callable[[str], None]
"""Takes each line that an installer prints."""
_MARK = "latseg.txt"
_BEGUN = "latseg-begun.txt"
_LAST_LINES = 200


class Installation(ABC):
    """A runtime or a converter that ``latseg install NAME`` brings; it is never shipped.

    A subclass sets the class variables and implements ``build``. Nothing is loaded into this process.
    """

    name: ClassVar[str]
    """The same as in the registry."""
    purpose: ClassVar[str]
    """What it is for, in a few words."""
    licence: ClassVar[str]
    """Of all that is downloaded; says so where a part is proprietary."""
    download_mb: ClassVar[int]
    """Megabytes, roughly."""

    @property
    def folder(self) -> Path:
        """All of it lies here: in the folder ``LATSEG_RUNTIMES``, else in the user's folder for data."""
        home = os.environ.get("LATSEG_RUNTIMES")
        data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "latseg", "runtimes")
        return Path(home or data).expanduser() / self.name

    @property
    @abstractmethod
    def recipe(self) -> str:
        """What is installed, with versions; another recipe makes an installation out of date."""

    @abstractmethod
    def build(self, on_line: OnLine) -> None:
        """Installs into ``folder``, which is empty.

        Raises:
            UserError: an installer is missing or failed.
        """

    def is_installed(self) -> bool:
        """Whether this recipe was installed completely."""
        try:
            return read_regular(self.folder / _MARK, limit=1 << 16).decode(errors="replace") == self.recipe
        except OSError:
            return False

    def require(self) -> None:
        """Raises ``UserError`` with the command that installs it, unless it is installed."""
        if not self.is_installed():
            raise UserError(
                self.purpose, seen=f"no installation {self.name!r}", expected=str(self.folder), remedy=self.remedy
            )

    @property
    def remedy(self) -> str:
        """The command that installs it."""
        return f"latseg install {self.name}"

    def install(self, on_line: OnLine = lambda _: None) -> None:
        """Installs it, unless it is installed; what an interrupted or older installation left is removed first.

        Raises:
            UserError: the folder cannot be written, another process is installing it, or an installer failed.
        """
        if self.is_installed():
            return
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._remove_old()
                self.folder.mkdir()
                (self.folder / _BEGUN).touch()
                self.build(on_line)
                write_file(self.folder / _MARK, self.recipe.encode())
        except OSError as error:
            raise UserError(
                f"installation {self.name}", seen=f"{error.strerror or error} ({error.filename})",
                expected="a folder that can be written", remedy="set LATSEG_RUNTIMES to one",
            ) from error  # fmt: skip

    def run(self, words: Sequence[str | Path], on_line: OnLine) -> None:
        """Runs an installer in ``folder``.

        Raises:
            UserError: it failed; names its last line that tells an error.
        """
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        with subprocess.Popen(
            words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as process:  # fmt: skip
            try:
                for line in process.stdout or ():
                    lines.append(line.strip())
                    on_line(line.strip())
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            told = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
            raise UserError(
                f"installation {self.name}", seen=f"{Path(words[0]).name} failed: {told[-1][:300] if told else ''}",
                expected="a download that succeeds", remedy="check the network and the free space, then repeat",
            )  # fmt: skip

    def _remove_old(self) -> None:
        if self.folder.is_dir() and not any((self.folder / name).is_file() for name in (_MARK, _BEGUN)):
            raise UserError(
                f"installation {self.name}", seen=f"{self.folder}, which latseg did not make",
                expected="a folder of its own", remedy="set LATSEG_RUNTIMES to another folder, or move this one away",
            )  # fmt: skip
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The lock ends with the process."""
        with self.folder.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"installation {self.name}", seen="another process that installs it", expected="one at a time",
                    remedy="wait until it has ended",
                ) from error  # fmt: skip
            yield
