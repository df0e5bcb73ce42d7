"""What is wrong with a machine is said in one line, with what to do about it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.registry import get_device
from devices.ssh.address import SshAddress
from devices.ssh.host import SshHost
from devices.ssh.sources import own_sources
from devices.worker.transport import ConnectionLostError
from foundation.errors import DeviceUnavailableError

Script = Callable[[str, str], None]
ADDRESS = SshAddress("board", "me")
NO_ROUTE = "#!/bin/sh\necho 'ssh: connect to host board port 22: No route to host' >&2\nexit 255\n"
BARE = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nPATH=/nowhere exec /bin/sh -c "$*"\n'
BANNER = '#!/bin/sh\necho "Welcome to latseg agent: "\necho\n'
OLD = """#!/bin/sh
program="$(printf '%s' "$2" | sed 's/_OLDEST = (3, 11)/_OLDEST = (99, 1)/')"; shift 2
exec {python} -c "$program" "$@"
"""


def _error(host: SshHost) -> DeviceUnavailableError:
    with pytest.raises(DeviceUnavailableError) as caught:
        host.state()
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


@pytest.mark.parametrize(
    ("program", "text", "seen", "remedy"),
    [
        ("ssh", NO_ROUTE, "No route to host", "make `ssh -o BatchMode=yes -- me@board 'python3 -V'` work first"),
        ("ssh", BARE, "no python3 there", "install it there"),
        ("ssh", "#!/bin/sh\nexit 255\n", "ssh gave no reason", "work first"),
        ("ssh", "#!/bin/sh\necho 'who are you?' >&2\nexit 3\n", "ended with exit code 3: who are you?", "work first"),
        ("ssh", "#!/bin/sh\nyes\n", "the login shell prints without end", "work first"),
        ("ssh", "#!/bin/sh\necho 'latseg agent: {'\n", "cannot be read", "work first"),
        ("python3", OLD, "Python 3.", "venv'`"),
    ],
)
def test_a_machine_without_something(
    fake_ssh: Path, script: Script, program: str, text: str, seen: str, remedy: str
) -> None:
    script(program, text.replace("{python}", shlex.quote(sys.executable)))
    error = _error(SshHost(ADDRESS, ("numpy",)))
    assert error.what == "machine ssh://me@board"
    assert seen in str(error.seen)
    assert remedy in error.remedy
    availability = get_device("ssh://me@board/cpu").availability()
    assert not availability.available
    assert seen in availability.reason


def test_an_agent_that_fails_is_not_a_machine_that_is_not_reached(fake_ssh: Path) -> None:
    fake_ssh.mkdir(parents=True)
    (fake_ssh / "work").touch()
    error = _error(SshHost(ADDRESS, ()))
    assert "FileExistsError" in str(error.seen)
    assert error.remedy == "repair what it names on that machine and repeat the command"


def test_no_ssh_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "OpenSSH" in _error(SshHost(ADDRESS, ())).expected


def test_a_missing_runtime_is_named_with_the_command_that_installs_it(fake_ssh: Path) -> None:
    error = _error(SshHost(ADDRESS, ("numpy", "no-such-runtime")))
    assert "no no-such-runtime for its Python 3." in str(error.seen)
    words = shlex.split(error.remedy.partition("`")[2].rpartition("`")[0])
    assert words[:3] == ["ssh", "--", "me@board"]
    venv = str(fake_ssh / "venv")
    there = ["python3", "-m", "venv", venv, "&&", f"{venv}/bin/pip", "install", "numpy", "no-such-runtime"]
    assert shlex.split(words[3]) == there


def test_a_runtime_from_a_distribution_of_another_name_says_its_version(fake_ssh: Path, tmp_path: Path) -> None:
    (tmp_path / "packages" / "boardruntime.py").write_text("__version__ = '1.23.0'")
    assert SshHost(ADDRESS, ("numpy", "boardruntime")).state().versions["boardruntime"] == "1.23.0"


def test_the_environment_in_the_agents_folder_comes_before_python3(fake_ssh: Path, script: Script) -> None:
    (fake_ssh / "venv" / "bin").mkdir(parents=True)
    (fake_ssh / "venv" / "bin" / "python").symlink_to(Path(shutil.which("python3") or "").rename(fake_ssh / "python"))
    script("python3", "#!/bin/sh\nexit 1\n")
    assert not SshHost(ADDRESS, ("numpy",)).state().missing


def test_a_login_shell_may_print_before(fake_ssh: Path, script: Script) -> None:
    script("ssh", BANNER + (fake_ssh.parents[2] / "programs" / "ssh").read_text().partition("\n")[2])
    assert SshHost(ADDRESS, ("numpy",)).state().versions["numpy"]


def test_sources_are_sent_once_and_again_where_they_were_damaged(fake_ssh: Path) -> None:
    folder = fake_ssh / own_sources().digest
    host = SshHost(ADDRESS, ())
    host.connect().close()
    sent = folder.stat().st_ino
    host.connect().close()
    assert folder.stat().st_ino == sent
    (folder / "devices" / "ssh" / "agent.py").write_text("raise SystemExit(4)")
    host.connect().close()
    assert folder.stat().st_ino != sent
    (folder / "devices" / "ssh" / "frames.py").unlink()
    host.connect().close()
    assert sorted(each.name for each in fake_ssh.iterdir()) == sorted([folder.name, "work"])


def test_sources_of_other_versions_go_when_nobody_used_them_for_a_month(fake_ssh: Path) -> None:
    for name, days in (("0" * 64, 31), ("1" * 64, 29), ("new-0", 31), ("venv", 31), ("notes", 31)):
        (fake_ssh / name).mkdir(parents=True)
        os.utime(fake_ssh / name, (time.time() - days * 86400,) * 2)
    SshHost(ADDRESS, ()).connect().close()
    assert {each.name for each in fake_ssh.iterdir()} == {own_sources().digest, "work", "1" * 64, "venv", "notes"}


def test_the_agent_writes_nowhere_else(fake_ssh: Path, tmp_path: Path) -> None:
    for path in (str(tmp_path / "outside"), "../outside", "/"):
        connection = SshHost(ADDRESS, ()).connect()
        connection.send("put", b"1", path=path)
        assert connection._process.wait(10) == 1
        connection.close()
    assert not (tmp_path / "outside").exists()
    assert not (fake_ssh / "work" / "outside").exists()


@pytest.mark.targets
def test_the_agent_tells_the_load_there(fake_ssh: Path) -> None:
    assert SshHost(ADDRESS, ()).other_load() >= 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.ssh.connection._PROGRESS_S", 0.5)
    monkeypatch.setattr("devices.ssh.connection._END_S", 0.1)


@pytest.mark.usefixtures("impatient")
def test_an_agent_that_stops_in_the_middle_of_a_frame_is_lost(fake_ssh: Path, script: Script) -> None:
    hello = json.dumps({"folder": "/", "python": "3.11", "usable": True, "known": True})
    script("ssh", f"#!/bin/sh\necho 'latseg agent: {hello}'\nprintf 1\nexec sleep 60\n")
    assert "no byte came within 0.5 s" in str(_error(SshHost(ADDRESS, ())).seen)


@pytest.mark.usefixtures("impatient")
def test_an_agent_that_reads_no_more_is_lost(fake_ssh: Path) -> None:
    connection = SshHost(ADDRESS, ()).connect()
    connection._process.send_signal(signal.SIGSTOP)
    with pytest.raises(ConnectionLostError, match="no byte was taken within"):
        connection.send("put", bytes(1 << 20), path=f"{connection.state.files}/net")
    connection.close()
