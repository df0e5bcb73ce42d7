"""``latseg`` commands within this process, and numbers that stand for what they answer."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json


def run_command(*words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command line."""
    from latseg.cli import run

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(words))
    return code, out.getvalue(), err.getvalue()


def errors_of(err: str) -> str:
    """The lines that a command printed as errors."""
    return "\n".join(line for line in err.splitlines() if line.startswith("latseg: "))


def number_of(value: object) -> float:
    """Numbers that differ where the values differ."""
    return float(int(hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12], 16))
