"""The command line: global options, the commands, and what an error looks like."""

from __future__ import annotations

import errno
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from latseg.commands import COMMANDS
from latseg.console import DEFAULT_WORKSPACE, Console, for_workspace

app = typer.Typer(
    name="latseg",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = 130
_FLAGS = ("--json", "--quiet", "--debug")
_console = Console()


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
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,  # noqa: ARG001
) -> None:
    """Finds the best segmentation network that is guaranteed to be fast enough for your device."""
    _console.workspace, _console.as_json, _console.quiet, _console.debug = workspace, as_json, quiet, debug
    context.obj = _console


for command_name, command in COMMANDS.items():
    app.command(command_name)(command)


def main() -> None:
    """Entry point of the ``latseg`` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    global _console  # noqa: PLW0603 - one process may run several command lines (tests)
    _console = Console(debug="--debug" in arguments, as_json="--json" in arguments)
    try:
        result = app(_hoisted(arguments), prog_name="latseg", standalone_mode=False)
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except Exception as error:
        return _interrupted(arguments) if type(error).__name__ == "Abort" else _failed(error)
    if result == INTERRUPTED:  # typer turns Ctrl-C into this exit code without a word
        return _interrupted(arguments)
    return result if isinstance(result, int) else 0


def _hoisted(arguments: list[str]) -> list[str]:
    """Global flags may stand behind the command, too."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = [word for word in arguments[:end] if word in _FLAGS]
    return flags + [word for word in arguments[:end] if word not in _FLAGS] + arguments[end:]


def _interrupted(arguments: list[str]) -> int:
    hint = _console.resume_hint or shlex.join(["latseg", *arguments])
    _say_error(f"interrupted: what was done is saved; go on with: {hint}", INTERRUPTED)
    return INTERRUPTED


def _failed(error: Exception) -> int:
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if _console.debug:
        raise error
    code = int(getattr(error, "exit_code", 1))
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        code, line = 2, f"disk full: got {error}; expected free space for the workspace; free some and run again"
    elif hasattr(error, "format_message"):
        line = " ".join(error.format_message().split())
        line = f"{line}; see `latseg {_command(error)}--help`"
    elif hasattr(error, "exit_code"):
        line = str(error)
    else:
        line = f"internal error: {type(error).__name__}: {' '.join(str(error).split())}; run again with --debug"
    _say_error(for_workspace(line, _console.workspace), code)
    return code


def _command(error: object) -> str:
    context = getattr(error, "ctx", None)
    path = str(getattr(context, "command_path", "latseg"))
    return path.removeprefix("latseg").strip() + " " if path != "latseg" else ""


def _say_error(line: str, code: int) -> None:
    if _console.as_json:
        sys.stdout.write(json.dumps({"error": line, "exit_code": code}) + "\n")
    sys.stderr.write(f"latseg: {line}\n")
