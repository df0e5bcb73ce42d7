"""A real ``sshd`` on a port of the loopback address, with keys of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.devices.ssh.conftest import PYTHON

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
SSH = shutil.which("ssh")
_SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv XDG_CACHE_HOME={folder}/cache FAKE_SSH={folder} PYTHONPATH={root}
"""
_CLIENT = """
Host 127.0.0.1
  Port {port}
  IdentityFile {folder}/user
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
"""
_ROOT = Path(__file__).parents[3]
_START_S = 20.0


class Sshd:
    """Runs from ``start`` to ``stop``; whoever has ``client`` first on the path reaches it as 127.0.0.1."""

    def __init__(self, folder: Path, python: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._folder = folder
        self.client = folder / "client"
        for name in ("host", "user"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(words, check=True, timeout=60)
        key = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")
        values = {"port": self.port, "folder": folder, "root": _ROOT}
        (folder / "server").write_text(_SERVER.format(**values))
        (folder / "config").write_text(_CLIENT.format(**values))
        _script(self.client / "ssh", f'#!/bin/sh\nexec {SSH} -F {folder}/config "$@"\n')
        # Not on the path: a login shell may have one of its own.
        _script(self.agent_folder / "venv" / "bin" / "python", python)

    @property
    def agent_folder(self) -> Path:
        """Where the agent keeps its files."""
        return self._folder / "cache" / "latseg" / "agent"

    def start(self) -> None:
        """Returns when the port answers."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        words = [str(SSHD), "-D", "-e", "-f", str(self._folder / "server")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stderr=log)
        end = time.monotonic() + _START_S
        while not _answers(self.port):
            assert time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.1)

    def sessions(self) -> Iterator[int]:
        """Processes of sshd that serve the open connections."""
        found = [self._process.pid]
        while found:
            for child in children(found.pop()):
                if Path("/proc", child, "comm").read_text().startswith("sshd"):
                    yield int(child)
                    found.append(int(child))

    def stop(self) -> None:
        """Lets no further connection in; those that are open go on."""
        self._process.terminate()
        self._process.wait()


@contextmanager
def running_sshd(folder: Path, python: str = PYTHON) -> Iterator[Sshd]:
    """Skips the test where there is no sshd.

    Args:
        folder: for keys and settings.
        python: a program in the language of the shell that starts the interpreter there.
    """
    if not (SSHD and SSH):
        pytest.skip("there is no sshd: apt-get install openssh-server")
    made = Sshd(folder, python)
    made.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{made.client}{os.pathsep}{os.environ['PATH']}")
        yield made
    made.stop()


def children(pid: int) -> list[str]:
    """Numbers of the processes that this one has started."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
