"""Output of a command: data to stdout, progress and remarks to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latseg.streams import harmless, writing_to_stdout
from latseg.workspace_folder import DEFAULT_WORKSPACE, command_line, for_workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.api import Workspace

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@dataclass(slots=True)
class Console:
    """The global options, and how a command prints its result, remarks and warnings."""

    workspace: Path = DEFAULT_WORKSPACE
    as_json: bool = False
    quiet: bool = False
    debug: bool = False
    resume_hint: str = ""
    """Printed after Ctrl-C: the command that continues; empty where that is the same command."""
    muted: bool = False
    """While one command runs others (``demo``), these print no document of their own."""
    last: Any = None
    """The document of the last command."""
    warnings: list[str] = field(default_factory=list)
    """What ``warn`` has printed; commands put it into their documents."""

    def emit(self, document: object, render: Callable[[], RenderableType | Sequence[RenderableType]]) -> None:
        """Prints the result: one JSON document with ``--json``, else what ``render`` returns.

        Strings may hold rich's markup (put ``plain`` around what comes from outside) and are not wrapped, so that the
        command lines in them can be pasted.
        """
        self.last = document
        if self.muted:
            return
        with writing_to_stdout():
            if self.as_json:
                sys.stdout.write(json.dumps(document, indent=2, default=_jsonable) + "\n")
            else:
                _print(render())

    def line(self, *words: str) -> str:
        """A command line for this workspace, to be pasted into a shell."""
        return command_line(self.workspace, *words)

    def remark(self, text: str) -> None:
        """One line for people, on stderr."""
        if not self.quiet:
            sys.stderr.write(harmless(text.rstrip()) + "\n")

    def warn(self, text: str) -> None:
        """One line on stderr, with ``--quiet`` too, about what makes the result less certain; printed once."""
        line = for_workspace(text, self.workspace)
        if line not in self.warnings:
            self.warnings.append(line)
            sys.stderr.write(f"warning: {harmless(line)}\n")

    @property
    def api(self) -> Workspace:
        """The Python interface to the workspace of this command, with this console's progress and warnings."""
        from latseg.api import Workspace

        return Workspace(self.workspace, progress=not self.quiet, on_warning=self.warn)


def _print(rendered: RenderableType | Sequence[RenderableType]) -> None:
    from rich.console import Console as RichConsole

    rich = RichConsole(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)
    for part in rendered if isinstance(rendered, list | tuple) else [rendered]:
        rich.print(part, soft_wrap=isinstance(part, str))


def plain(text: object) -> str:
    """Text in which brackets are no markup, without control characters."""
    from rich.markup import escape

    return escape(harmless(str(text)))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> RenderableType:
    """A table of text; columns whose name ends in a unit or a count are right-aligned by their values."""
    from rich.table import Table

    rich_table = Table(title=plain(title) or None, title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        numeric = rows and all(_is_number(row[position]) for row in rows)
        rich_table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        rich_table.add_row(*(plain(_cell(value)) for value in row))
    return rich_table


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _jsonable(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"not JSON: {type(value).__name__}")
