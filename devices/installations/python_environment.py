"""Python packages in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import ClassVar

from typing_extensions import override

from devices.installations.installation import Installation, OnLine
from foundation.errors import UserError

_PLACES = (
    ".pyenv/versions/{version}*/bin/python{version}",
    ".local/share/uv/python/cpython-{version}*/bin/python{version}",
)
"""Where pyenv and uv keep interpreters that are not on the path, below the user's folder."""


class PythonEnvironment(Installation):
    """Packages whose versions or sizes do not fit the environment of ``latseg``."""

    packages: ClassVar[tuple[str, ...]]
    """Requirements as pip takes them, each with its exact version."""
    python_version: ClassVar[str | None] = None
    """Such as ``"3.12"``; None for the interpreter that runs now."""

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    def version(self, distribution: str) -> str:
        """The version of one of ``packages``."""
        return dict(package.split("==") for package in self.packages)[distribution]

    @property
    @override
    def recipe(self) -> str:
        version = self.python_version or ".".join(map(str, sys.version_info[:2]))
        return "\n".join((f"python {version}", *self.packages))

    @override
    def is_installed(self) -> bool:
        """The interpreter is a link to the one that made the environment, which may have been removed since then."""
        return super().is_installed() and self.python.exists()

    @override
    def build(self, on_line: OnLine) -> None:
        self.run((self._interpreter(), "-m", "venv", self.folder), on_line)
        options = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
        self.run((self.python, "-m", "pip", "install", *options, *self.packages), on_line)

    def _interpreter(self) -> str:
        if self.python_version is None:
            return sys.executable
        for path in _interpreters(self.python_version):
            if _version_of(path) == self.python_version:
                return path
        raise UserError(
            f"installation {self.name}", seen=f"no Python {self.python_version} on this machine",
            expected=f"python{self.python_version} on the path, or one of pyenv or uv",
            remedy=f"uv python install {self.python_version}, or install it with the system's packages",
        )  # fmt: skip


def _interpreters(version: str) -> Iterator[str]:
    yield sys.executable
    if found := which(f"python{version}"):
        yield found
    for place in _PLACES:
        yield from sorted(map(str, Path.home().glob(place.format(version=version))), reverse=True)


def _version_of(python: str) -> str:
    """``MAJOR.MINOR``; empty where it does not run, such as pyenv's stand-in for a version that is not chosen."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    try:
        return subprocess.run(
            [python, "-c", code], capture_output=True, text=True, timeout=20.0, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
