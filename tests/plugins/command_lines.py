"""Runs the command lines that its standard input names, one JSON list of words in each line, in one process.

Each answer is a line with the exit code, standard output and standard error. Starting a process for each command line
would take longer than most of them; that each command can do without the ones before it other tests show. Fits and the
first look at a space are short, as in ``tests.short_fits``.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from latseg import cli
from tests.short_feasibility import sample_less
from tests.short_fits import shorten

if __name__ == "__main__":
    shorten()
    sample_less(60)
    answers = sys.stdout
    for line in sys.stdin:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = cli.run(json.loads(line))
        print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
