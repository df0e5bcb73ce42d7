"""Packages of npm."""

from __future__ import annotations

from pathlib import Path
from shutil import which
from typing import ClassVar

from typing_extensions import override

from devices.installations.installation import Installation, OnLine
from foundation.errors import UserError


class NpmPackages(Installation):
    """Packages of npm, without their install scripts."""

    packages: ClassVar[tuple[str, ...]]
    """``NAME@VERSION``, the version exact."""

    @property
    def modules(self) -> Path:
        """The folder in which each package has a folder of its name."""
        return self.folder / "node_modules"

    @property
    @override
    def recipe(self) -> str:
        return "\n".join(("npm", *self.packages))

    @override
    def build(self, on_line: OnLine) -> None:
        npm = which("npm")
        if npm is None:
            raise UserError(
                f"installation {self.name}", seen="no npm", expected="npm on the path",
                remedy="install Node.js with npm",
            )  # fmt: skip
        options = ("--prefix", str(self.folder), "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")
        self.run((npm, "install", *options, *self.packages), on_line)
