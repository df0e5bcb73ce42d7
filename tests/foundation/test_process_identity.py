import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.process_identity import ProcessIdentity, this_process

NAMED = 'from foundation.process_identity import this_process as t; print(t().host, t().pid, t().started, sep="\\n")'


def ended() -> ProcessIdentity:
    host, pid, started = subprocess.run(
        [sys.executable, "-c", NAMED], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return ProcessIdentity(host, int(pid), started)


def test_this_process_lives_and_one_that_ended_is_dead() -> None:
    assert not this_process().is_dead
    assert ended().host == this_process().host
    assert ended().is_dead


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_later_process_with_the_same_number_is_another_one() -> None:
    boot, _, ticks = this_process().started.partition(" ")
    assert replace(this_process(), started=f"{boot} {int(ticks) - 1}").is_dead
    assert replace(this_process(), started=f"another-boot {ticks}").is_dead
    assert not replace(this_process(), started="").is_dead


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_process_is_dead_before_its_parent_has_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", f"{NAMED}; input()"], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        host, pid, started = (process.stdout.readline().strip() for _ in range(3))
        identity = ProcessIdentity(host, int(pid), started)
        assert not identity.is_dead
        process.kill()
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        assert identity.is_dead


def test_nothing_is_known_about_another_machine() -> None:
    assert not replace(ended(), host="elsewhere").is_dead
