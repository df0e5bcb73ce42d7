"""What a forked process computes."""

from __future__ import annotations

import json
import os
import tempfile
import traceback
from collections.abc import Callable
from typing import Any


def in_fork(compute: Callable[[], object]) -> Any:
    """The answer of ``compute`` as JSON gives it back, from a forked process.

    Threads of torch do not outlive a fork: the process whose forks run the cases must never compute with it.

    Raises:
        RuntimeError: it failed; the traceback is on stderr.
    """
    with tempfile.TemporaryFile("w+") as answer:
        child = os.fork()
        if not child:
            try:
                json.dump(compute(), answer)
                answer.flush()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("the preparation failed")
        answer.seek(0)
        return json.load(answer)
