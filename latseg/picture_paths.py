"""Pictures that a user names: files, and folders whose pictures are all meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UserError


@dataclass(frozen=True, slots=True)
class PicturePaths:
    """The files, folders replaced by their pictures, and a sentence on what of a folder is left out."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def picture_paths(named: Iterable[str | Path], output: Path) -> PicturePaths:
    """The pictures of each folder, by name; folders inside it and hidden files are left out.

    Args:
        named: files and folders.
        output: folder for results; as one of the folders it would make pictures of results the next time.

    Raises:
        UserError: a folder without pictures, one that cannot be read, or ``output`` is one of the folders.
    """
    files: list[Path] = []
    notes: list[str] = []
    for path in map(Path, named):
        if not path.is_dir():
            files.append(path)
            continue
        if path.resolve() == output.resolve():
            raise UserError(
                "--output", seen=f"{output}, the folder of the pictures", expected="another folder",
                remedy="write for example --output segmented",
            )  # fmt: skip
        found = _in_folder(path)
        files += found.files
        notes += found.notes
    return PicturePaths(tuple(files), tuple(notes))


def _in_folder(folder: Path) -> PicturePaths:
    from segmentation.data.picture_files import left_out, picture_files

    try:
        found = picture_files(folder)
    except OSError as error:
        raise UserError(
            "folder of pictures", seen=f"{folder} ({error.strerror or error})", expected="a folder that can be read",
            remedy="check its permissions",
        ) from error  # fmt: skip
    notes = left_out(folder, found.others, "no pictures that can be read")
    if not found.pictures:
        raise UserError(
            "folder of pictures", seen="; ".join([f"no pictures in {folder}", *notes]), expected="at least one",
            remedy="name the folder in which the pictures lie",
        )  # fmt: skip
    return PicturePaths(found.pictures, tuple(notes))
