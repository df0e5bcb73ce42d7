"""The installation ``aarch64`` without a network: what it reads of this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from devices.backends.aarch64.installation import Aarch64Userland
from foundation.errors import UserError

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or which("apt-config") is None or which("dpkg-deb") is None, reason="needs apt"
)
APT_GET = """#!/bin/sh
apt-config dump > "{folder}/dump"
mkdir -p "{home}/host/usr/bin"
touch "{home}/host/usr/bin/qemu-aarch64-static"
"""
"""Writes the configuration that it runs with, and stands in for the emulator's package."""


def test_it_reads_no_configuration_of_apt_and_needs_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "runtimes"))
    programs, parts = tmp_path / "programs", tmp_path / "parts"
    for folder in (programs, parts):
        folder.mkdir()
    (programs / "apt-get").write_text(APT_GET.format(folder=tmp_path, home=Aarch64Userland().folder))
    (programs / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (parts / "hook").write_text('APT::Update::Pre-Invoke { "false"; };')
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::parts "{parts}"; Dir::Etc::main "{parts / "hook"}";')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "no-pip"], check=True)
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-pip" / "bin" / "python"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="No matching distribution found for onnxruntime"):
        Aarch64Userland().install()
    dump = (tmp_path / "dump").read_text()
    assert "Pre-Invoke" not in dump
    for line in ('APT::Architecture "arm64"', 'Dir::Etc::main "/dev/null"', 'Dir::Etc::parts "/dev/null"'):
        assert line in dump
