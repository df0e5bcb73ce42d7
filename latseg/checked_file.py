"""A file of a workspace that was checked, and how a store is checked and repaired."""

from __future__ import annotations

import shlex
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.damaged_table import FileHealth
from foundation.errors import UserError
from foundation.salvage import examine, rebuild

if TYPE_CHECKING:
    from foundation.database import Database

_SHOWN = 5
"""Faults of a file that are told."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file or folder of a workspace."""

    path: str
    """Relative to the workspace."""
    kind: str
    fault: str = ""
    """What is wrong; empty where it is intact."""
    saved: str = ""
    """What can be read of it, or was written into a new file."""
    remedy: str = ""
    """How to go on."""
    repaired: bool = False


def checked_store(root: Path, path: Path, kind: type[Database], repair: bool) -> CheckedFile:
    """A file of ``kind`` in the workspace ``root``, replaced where it is damaged and ``repair`` is set.

    Raises:
        UserError: the new file cannot be written.
    """
    look = rebuild if repair else examine
    try:
        health = look(path, kind.schema, kind.checks, kind.derived)
    except (OSError, sqlite3.Error) as error:
        raise UserError(
            f"repair of {path}", seen=str(error), expected="a folder that can be written, with room for a copy",
            remedy="free some space, or copy the workspace to another disk",
        ) from error  # fmt: skip
    name = str(path.relative_to(root))
    if not health.faults:
        return CheckedFile(name, kind.schema.kind, saved=_rows(health))
    if health.kept_as is None:
        command = f"`latseg doctor {shlex.quote(str(root))} --repair`"
        remedy = f"{command} writes a new file from what can be read; else {kind.schema.remedy}"
        return CheckedFile(name, kind.schema.kind, _faults(health), f"can be read: {_rows(health)}", remedy)
    remedy = f"go on as usual; the damaged file is kept as {health.kept_as.name}"
    return CheckedFile(name, kind.schema.kind, _faults(health), f"saved: {_rows(health)}", remedy, repaired=True)


def _rows(health: FileHealth) -> str:
    return ", ".join(f"{count} {table}" for table, count in health.rows.items()) or "nothing"


def _faults(health: FileHealth) -> str:
    more = len(health.faults) - _SHOWN
    return "; ".join(health.faults[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def exists(path: Path) -> bool:
    """Whether something has this name, be it a link that leads nowhere."""
    return path.exists() or path.is_symlink()


def folders_in(parent: Path) -> list[Path]:
    """The folders of a folder but hidden ones, which a killed process left and the next one removes."""
    return sorted(folder for folder in parent.glob("[!.]*") if folder.is_dir())
