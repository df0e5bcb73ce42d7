"""The command line: global options, the commands, and what an error looks like."""

from __future__ import annotations

import errno
import json
import logging
import math
import re
import shlex
import signal
import sys
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from latseg.commands import COMMANDS, GROUPS
from latseg.console import INTERRUPTED, Console
from latseg.logs import logging_to
from latseg.option_groups import expand
from latseg.streams import OutputError, ReaderGoneError, harmless, prepare_streams, writing_to_stdout
from latseg.workspace_folder import DEFAULT_WORKSPACE, for_workspace

app = typer.Typer(
    name="latseg",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
groups = {"": app, **{name: typer.Typer(help=text, no_args_is_help=True) for name, text in GROUPS.items()}}
_FLAG = re.compile(r"--json|--quiet|--debug|--verbose|-v+|--log-file=.*")
_WITH_VALUE = "--log-file"
_SHOWN = 60
"""Characters of a path that is too long."""
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a process, from ``kill``, a service manager or a terminal that is closed; they save like Ctrl-C."""
_logger = logging.getLogger(__name__)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        sys.stdout.write(f"latseg {version('latseg')}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    workspace: Annotated[Path, typer.Option(help="Folder of measurements, predictors and runs.")] = DEFAULT_WORKSPACE,
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no remarks.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Log what is done to stderr; -vv logs details, too.")
    ] = 0,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", help="Append the log, with details, to a file.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,  # noqa: ARG001
) -> None:
    """Finds the best segmentation network that is guaranteed to be fast enough for your device."""
    console: Console = context.obj
    console.workspace, console.as_json, console.quiet, console.debug = workspace, as_json, quiet, debug
    context.with_resource(logging_to(verbose, log_file))
    _logger.debug("workspace %s", workspace)


for command_name, command in COMMANDS.items():
    words = command_name.split()
    groups[words[0] if len(words) > 1 else ""].command(words[-1])(expand(command))
for group_name in GROUPS:
    app.add_typer(groups[group_name], name=group_name)


def main() -> None:
    """Entry point of the ``latseg`` command."""
    prepare_streams()
    interrupt = _DebouncedInterrupt()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell ignores it in the background
        signal.signal(signal.SIGINT, interrupt)
    for number in _ENDINGS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        for number in (signal.SIGINT, *_ENDINGS):
            signal.signal(number, signal.SIG_IGN)  # Python's own handler is gone while the interpreter ends
    sys.exit(code)


class _DebouncedInterrupt:
    """A handler of Ctrl-C that raises ``KeyboardInterrupt``, but not again within ``QUIET_S``.

    Otherwise a key that is pressed twice interrupts the saving that the first press started.
    """

    QUIET_S = 1.0

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last >= self.QUIET_S:
            self._last = now
            signal.default_int_handler(number, frame)


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    console = Console(debug="--debug" in arguments, as_json="--json" in arguments)
    try:
        result = invoke(arguments, console)
        with writing_to_stdout():
            pass  # the version is still in the buffer
    except KeyboardInterrupt:
        result = INTERRUPTED
    except Exception as error:
        if type(error).__name__ != "Abort":
            return _failed(error, console)
        result = INTERRUPTED
    return _interrupted(arguments, console) if result == INTERRUPTED else result


def invoke(arguments: list[str], console: Console) -> int:
    """Runs one command line with this console; its exit code, errors as exceptions.

    typer turns Ctrl-C into the exit code 130.
    """
    result = app(_hoisted(arguments), prog_name="latseg", standalone_mode=False, obj=console)
    return result if isinstance(result, int) else 0


def _hoisted(arguments: list[str]) -> list[str]:
    """Global options may stand behind the command, too."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word == _WITH_VALUE:
            front += [word, *islice(words, 1)]
        elif _FLAG.fullmatch(word):
            front.append(word)
        else:
            rest.append(word)
    return front + rest + arguments[end:]


def _interrupted(arguments: list[str], console: Console) -> int:
    hint = console.resume_hint or shlex.join(["latseg", *arguments])
    _print_error(f"interrupted: what was done is saved; continue with: {hint}", INTERRUPTED, console)
    return INTERRUPTED


def _failed(error: Exception, console: Console) -> int:
    if isinstance(error, typer.Exit | ReaderGoneError):
        return int(error.exit_code)
    if console.debug:
        raise error
    code = int(getattr(error, "exit_code", 1))
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        code, line = 2, f"disk full: got {error}; expected free space for the workspace; free some and run again"
    elif isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        code, line = 2, f"path: got {_shortened(error.filename)}; expected names of at most 255 bytes; shorten it"
    elif hasattr(error, "format_message"):
        line = " ".join(error.format_message().split())
        line = f"{line}; see `latseg {_command(error)}--help`"
    elif hasattr(error, "exit_code"):
        line = str(error)
    else:
        line = f"internal error: {type(error).__name__}: {' '.join(str(error).split())}; run again with --debug"
    _print_error(for_workspace(line, console.workspace), code, console)
    return code


def _shortened(path: object) -> str:
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _command(error: object) -> str:
    context = getattr(error, "ctx", None)
    path = str(getattr(context, "command_path", "latseg"))
    return path.removeprefix("latseg").strip() + " " if path != "latseg" else ""


def _print_error(line: str, code: int, console: Console) -> None:
    if console.as_json:
        with suppress(OutputError), writing_to_stdout():
            sys.stdout.write(json.dumps({"error": line, "exit_code": code}) + "\n")
    sys.stderr.write(f"latseg: {harmless(line)}\n")
