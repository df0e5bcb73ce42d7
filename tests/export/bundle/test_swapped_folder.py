from __future__ import annotations

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
