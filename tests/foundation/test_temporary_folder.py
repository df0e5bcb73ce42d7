"""Temporary folders end with their process, even one that is killed with SIGKILL."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foundation import temporary_folder
from foundation.temporary_folder import TemporaryFolder, leftovers, owner

MAKES_ONE = """
import sys
from pathlib import Path
from foundation.temporary_folder import TemporaryFolder
folder = TemporaryFolder()
(folder.path / "file").write_text("content")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr(temporary_folder, "_cleaned", set())
    return place


def maker(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has made a folder and lives until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES_ONE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)


def test_it_is_removed_with_the_context_the_object_or_the_process(place: Path) -> None:
    with TemporaryFolder() as folder:
        (folder.path / "file").write_text("content")
        assert folder.path.parent == place
    folder.close()
    assert list(place.iterdir()) == []
    other = TemporaryFolder()
    assert other.path.is_dir()
    del other
    gc.collect()
    assert list(place.iterdir()) == []
    process, path = maker(place)
    assert path.is_dir()
    end(process)
    assert list(place.iterdir()) == []


def test_the_next_process_removes_what_a_killed_one_left_and_nothing_else(place: Path) -> None:
    killed, left = maker(place)
    living, used = maker(place)
    killed.kill()
    end(killed)
    for name in ("latseg-elsewhere", "latseg-1-2-file0000", ".latseg-1-2-hidden00"):
        (place / name).mkdir()
    (place / "latseg-1-2-file0000").rmdir()
    (place / "latseg-1-2-file0000").write_text("a file")
    (place / "latseg-1-2-linked00").symlink_to(used)
    assert left.is_dir()
    with TemporaryFolder():
        assert not left.exists()
        assert (used / "file").read_text() == "content"
    kept = {"latseg-elsewhere", "latseg-1-2-file0000", ".latseg-1-2-hidden00", "latseg-1-2-linked00", used.name}
    assert {path.name for path in place.iterdir()} == kept
    end(living)
    assert not used.exists()


def test_the_name_says_whose_it_is(place: Path) -> None:
    with TemporaryFolder() as folder:
        assert folder.path.name.startswith(f"latseg-{os.getpid()}-")


def test_a_folder_with_another_parent_and_prefix(tmp_path: Path) -> None:
    with TemporaryFolder(parent=tmp_path, prefix=".mine.") as folder:
        assert list(tmp_path.iterdir()) == [folder.path]
        assert list(leftovers(tmp_path, ".mine.")) == [], "its process lives"
        folder.keep()
    assert folder.path.is_dir()


def test_a_folder_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, seen = temporary_folder._lock, []

    def late(folder: Path) -> int:
        if not seen:
            folder.rmdir()
        seen.append(folder)
        return lock(folder)

    monkeypatch.setattr(temporary_folder, "_lock", late)
    with TemporaryFolder() as folder:
        assert seen == [seen[0], folder.path]
        assert list(place.iterdir()) == [folder.path]


def test_a_file_system_without_locks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: int) -> None:
        raise OSError(37, "No locks available")

    with monkeypatch.context() as patched:
        patched.setattr("fcntl.flock", none)
        with TemporaryFolder() as folder:
            assert folder.path.is_dir()
            assert list(leftovers(place, "latseg-")) == []
    assert list(place.iterdir()) == []


def test_what_is_written_while_it_is_removed_is_removed_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser writes its profile once more while it ends."""
    folder = TemporaryFolder()
    remove = shutil.rmtree
    written = iter(range(3))

    def interrupted(path: Path, *, ignore_errors: bool) -> None:
        remove(path, ignore_errors=ignore_errors)
        if next(written, None) is not None:
            (path / "profile").mkdir(parents=True)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    folder.close()
    assert list(place.iterdir()) == []


def test_what_cannot_be_removed_is_left(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_folder, "_REMOVE_S", 0.1)
    folder = TemporaryFolder()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        folder.close()
    assert folder.path.exists()


def test_a_fork_leaves_the_folder_to_its_parent(place: Path) -> None:
    code = """
import os
from foundation.temporary_folder import TemporaryFolder
with TemporaryFolder() as folder:
    child = os.fork()
    if child == 0:
        folder.close()
        os._exit(0)
    os.waitpid(child, 0)
    print(folder.path.is_dir())
"""
    environment = {**os.environ, "TMPDIR": str(place)}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert said.stdout == "True\n"
    assert list(place.iterdir()) == []


def test_the_owner_is_the_living_process_that_made_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process, folder = maker(place)
    assert owner(folder) == process.pid
    with monkeypatch.context() as patch:
        patch.setattr(temporary_folder, "start_ticks", lambda _: "1")  # its number is another process's now
        assert owner(folder) is None
    process.kill()
    end(process)
    assert folder.is_dir()
    assert owner(folder) is None
    assert owner(place / "absent") is None
