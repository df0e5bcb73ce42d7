"""An aarch64 userland in a folder: Debian's Python, the runtimes' Arm builds, and qemu-user, which runs them.

Nothing of it becomes part of this system: no architecture is added to it, and nobody needs to be root. ONNX Runtime
reads ``/proc/cpuinfo`` when it is imported and crashes where it finds that of another architecture, so the userland has
one of its own.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from shlex import quote

from typing_extensions import override

from devices.installations.installation import Installation, OnLine
from devices.installations.worker_packages import WORKER_PACKAGES
from foundation.errors import UserError

_SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"
_APT = """
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "amd64"; }};
APT::Sandbox::User "";
Dir::State "{folder}/apt/state";
Dir::State::status "{folder}/apt/status";
Dir::Cache "{folder}/apt/cache";
Dir::Etc::sourcelist "{folder}/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
"""
"""Read first, by ``APT_CONFIG``, so that the configuration of this machine, which may have hooks, is not read at all.

A proxy comes from ``http_proxy``. Source: apt.conf(5).
"""
_SYSTEM = (
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libbz2-1.0", "libc6", "libexpat1",
    "libffi8", "libgcc-s1", "libgomp1", "liblzma5", "libsqlite3-0", "libssl3", "libstdc++6", "libuuid1", "zlib1g",
    "qemu-user-static:amd64",
)  # fmt: skip
_PACKAGES = (
    "onnxruntime==1.32.0", "ncnn==1.0.20261020", "MNN==3.6.1", "flatbuffers==25.12.19", *WORKER_PACKAGES,
)  # fmt: skip
_WHEELS = ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28")
_CORE = """processor\t: {number}
BogoMIPS\t: 50.00
Features\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""
"""As Linux describes a core of the type Neoverse N1."""
_PYTHON = """#!/bin/sh
export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{folder}/root/opt/packages
exec {folder}/qemu-aarch64 -0 "$0" -L {folder}/root {folder}/root/usr/bin/python3.11 "$@"
"""


class Aarch64Userland(Installation):
    """Its interpreter takes the place of ``python3`` on a machine that ``ssh://`` names; times mean nothing there."""

    name = "aarch64"
    purpose = "run the Arm builds of ONNX Runtime, ncnn and MNN in an emulator"
    licence = "QEMU: GPL-2.0; Debian's packages: free; the runtimes: MIT, BSD, Apache-2.0"
    download_mb = 170

    @property
    def python(self) -> Path:
        """An aarch64 interpreter that this machine runs."""
        return self.folder / "bin" / "python"

    @property
    @override
    def recipe(self) -> str:
        return "\n".join((_SOURCE.strip(), *_SYSTEM, *_PACKAGES))

    @override
    def build(self, on_line: OnLine) -> None:
        tools = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name)]
        if platform.machine() != "x86_64" or len(tools) < 2:
            raise UserError(
                f"installation {self.name}", seen=f"a machine of type {platform.machine()} with {tools or 'no tools'}",
                expected="x86_64 with apt-get and dpkg-deb", remedy="use such a machine with Debian",
            )  # fmt: skip
        self._fetch_system(on_line)
        self._fetch_packages(on_line)
        for name in ("apt", "downloads", "host", "pip"):
            shutil.rmtree(self.folder / name)
        self._write_python()

    def _fetch_system(self, on_line: OnLine) -> None:
        apt, downloads = self.folder / "apt", self.folder / "downloads"
        for folder in (apt / "state" / "lists" / "partial", apt / "cache" / "archives" / "partial", downloads):
            folder.mkdir(parents=True)
        (apt / "status").touch()
        (apt / "sources.list").write_text(_SOURCE)
        (apt / "apt.conf").write_text(_APT.format(folder=self.folder))
        apt_get = ("env", f"APT_CONFIG={apt / 'apt.conf'}", "apt-get")
        self.run((*apt_get, "update"), on_line)
        self.run(("sh", "-c", 'cd downloads && exec "$@"', "sh", *apt_get, "download", *_SYSTEM), on_line)
        for package in sorted(downloads.glob("*.deb")):
            place = "host" if package.stem.endswith("amd64") else "root"
            self.run(("dpkg-deb", "-x", package, self.folder / place), on_line)
        (self.folder / "host" / "usr" / "bin" / "qemu-aarch64-static").rename(self.folder / "qemu-aarch64")

    def _fetch_packages(self, on_line: OnLine) -> None:
        wheels = [f"--platform={name}_aarch64" for name in _WHEELS]
        options = ("--disable-pip-version-check", "--no-input", "--progress-bar=off", "--only-binary=:all:", *wheels)
        target = ("--python-version=3.11", "--implementation=cp", "--target", self.folder / "root" / "opt" / "packages")
        self.run((sys.executable, "-m", "venv", self.folder / "pip"), on_line)  # this environment may have no pip
        self.run((self.folder / "pip/bin/python", "-m", "pip", "install", *options, *target, *_PACKAGES), on_line)

    def _write_python(self) -> None:
        processor = self.folder / "root" / "proc" / "cpuinfo"
        processor.parent.mkdir()
        processor.write_text("".join(_CORE.format(number=number) for number in range(os.cpu_count() or 1)))
        self.python.parent.mkdir()
        self.python.write_text(_PYTHON.format(folder=quote(str(self.folder))))
        self.python.chmod(0o755)
