"""Standard streams as they may be found: closed, of another encoding, on a full disk, or a pipe that nobody reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any

from typing_extensions import override

from foundation.errors import UserError

READER_GONE = 141
"""Exit code where the reader of stdout has ended, as of programs that SIGPIPE ends."""


class OutputError(UserError):
    """Nothing can be written to stdout."""


class ReaderGoneError(OutputError):
    """The reader of stdout has ended, as in ``latseg ... | head -1``; nothing is left to be told."""

    exit_code = READER_GONE


def harmless(text: str) -> str:
    """The text with control characters spelled out: in a file's name they could write to a terminal what they like."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def prepare_streams() -> None:
    """Opens closed streams; none fails on a character that its encoding lacks, and stderr never fails.

    A file that is opened while descriptor 1 is closed would get that number, and output would be written into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = TextIOWrapper(FileIO(1, "w", closefd=False))
    if isinstance(sys.stdout, TextIOWrapper):
        stream, lines = BufferedWriter(_Told(1, "w", closefd=False)), sys.stdout.line_buffering
        sys.stdout = TextIOWrapper(stream, sys.stdout.encoding, errors="replace", line_buffering=lines)
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    sys.stderr = TextIOWrapper(_Lenient(2, "w", closefd=False), encoding, errors="replace", line_buffering=True)


@contextmanager
def writing_to_stdout() -> Iterator[None]:
    """Flushes what the block writes to stdout.

    Raises:
        OutputError: it cannot be written; nothing is tried again at the end of the process.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        raise _output_error(error) from error


def _output_error(error: OSError) -> OutputError:
    """What is written from now on is lost."""
    _discard_stdout()
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError("stdout", seen="a reader that has ended", expected="one", remedy="read all")
    return OutputError(
        "stdout",
        seen=error.strerror or str(error),
        expected="a stream that can be written to",
        remedy="the command itself has ended; send its output elsewhere",
    )


def _discard_stdout() -> None:
    """Leads stdout to nowhere, so that the interpreter's last flush does not fail again."""
    with suppress(OSError, ValueError):  # streams of a test have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Told(FileIO):
    """Fails in our words, also where help or the version is written."""

    @override
    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            raise _output_error(error) from error


class _Lenient(FileIO):
    """Loses what cannot be written: progress that nobody reads is no reason to stop a training."""

    @override
    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError:
            return len(memoryview(content).cast("B"))
