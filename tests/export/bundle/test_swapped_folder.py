from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from export.bundle.swapped_folder import swapped_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with swapped_folder(tmp_path / "bundle", marker="mark") as fresh:
        (fresh / "mark").write_text("old")
    return tmp_path / "bundle"


def test_takes_the_place_and_leaves_nothing_else(folder: Path) -> None:
    with swapped_folder(folder, marker="mark") as fresh:
        (fresh / "mark").write_text("new")
    assert (folder / "mark").read_text() == "new"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failing", [1, 2])
def test_interrupted_swap_leaves_the_old_one(folder: Path, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return rename(self, target)

    with pytest.raises(KeyboardInterrupt), swapped_folder(folder, marker="mark") as fresh:  # noqa: PT012
        (fresh / "mark").write_text("new")
        monkeypatch.setattr(Path, "rename", interrupted)
    assert (folder / "mark").read_text() == "old"
    assert list(folder.parent.iterdir()) == [folder]


KILLED = """
import os, signal, sys
import signal
import subprocess
import sys
from pathlib import Path
from export.bundle.swapped_folder import swapped_folder
rename, left = Path.rename, int(sys.argv[2])
def killing(self, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return rename(self, target)
Path.rename = killing
with swapped_folder(Path(sys.argv[1]), marker="mark") as fresh:
    (fresh / "mark").write_text("new")
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("renames", [-1, 0, 1])
def test_what_a_killed_swap_left_is_put_right_by_the_next(folder: Path, renames: int) -> None:
    """Killed while the new folder is filled, before the first rename, and between the two."""
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(renames)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert folder.exists() == (renames < 1)
    assert len(list(folder.parent.glob(".bundle.*"))) == 1
    with pytest.raises(KeyboardInterrupt), swapped_folder(folder, marker="mark"):
        raise KeyboardInterrupt
    assert (folder / "mark").read_text() == "old"
    assert list(folder.parent.iterdir()) == [folder]
