"""``PATH[?OPTION&OPTION]``: the text of a source that reads a folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from foundation.errors import UserError


def path_and_options(kind: str, text: str, known: Sequence[str]) -> tuple[Path, set[str]]:
    """Reads ``PATH[?OPTION&OPTION]``; a path that exists may hold a question mark itself.

    Returns:
        The absolute path, so that the source opens again from any folder, and the options.

    Raises:
        UserError: no path, or an option that is not ``known``.
    """
    if not text:
        raise UserError(f"data source {kind}", seen="no path", expected=f"{kind}:PATH", remedy="add the path")
    if _expanded(text).exists():
        return _expanded(text).absolute(), set()
    path, _, options = text.partition("?")
    given = set(options.split("&")) - {""}
    unknown = sorted(given - set(known))
    if unknown:
        raise UserError(
            f"option of {kind}:PATH", seen=unknown[0], expected=" or ".join(sorted(known)), remedy="correct it"
        )
    return _expanded(path).absolute(), given


def source_name(kind: str, folder: Path, options: dict[str, bool]) -> str:
    """``KIND:PATH`` with those options that are on."""
    written = [name for name, on in options.items() if on]
    return f"{kind}:{folder}" + (f"?{'&'.join(written)}" if written else "")


def require_folder(folder: Path, *parts: str) -> None:
    """Refuses a data set without one of the files or folders that it always has.

    Raises:
        UserError: the folder, or a part of it, does not exist.
    """
    missing = next((path for path in (folder, *(folder / part for part in parts)) if not path.exists()), None)
    if missing is not None:
        expected = f"a folder with {', '.join(parts)}" if parts else "a folder"
        raise UserError("data folder", seen=f"no {missing}", expected=expected, remedy="check the path")


def _expanded(path: str) -> Path:
    """With the home folder for ``~``; as it is where that user is not known."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)
