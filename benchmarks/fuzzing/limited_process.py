"""Runs cases in a forked process with limits of time and memory; after a fault the next case gets a new one."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzzing.special_files import Special, put
from fuzzing.target import REFUSALS, Answer, Case, Target

SECONDS = 30.0
"""Of processor time. A case that gives no answer for ``_IDLE_SECONDS`` hangs."""
_IDLE_SECONDS = 600.0
BYTES = 2**31
_GUARD_BYTES = 2 * BYTES
"""Address space that a case may add: what exceeds ``BYTES`` is seen, what exceeds this cannot harm the machine."""
GOOD = frozenset({"ok", "refused"})
_CASE = "case"
_SHARED_MEMORY = "-shm"
"""End of the names of files that readers of SQLite write, too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case with its outcome: ``ok``, ``refused`` or a fault."""

    number: int
    what: str
    outcome: str
    seconds: float
    """Of processor time."""
    wall_seconds: float
    peak_bytes: int
    line: str

    @property
    def good(self) -> bool:
        """Whether it is no fault."""
        return self.outcome in GOOD


def run_cases(target: Target, numbers: Sequence[int], folder: Path) -> Iterator[Outcome]:
    """The outcomes in order. ``folder`` is scratch; whatever a case leaves in it outside of its own is a fault."""
    left = list(numbers)
    while left:
        child, pipe = _fork(target, left, folder)
        buffer = b""
        while left:
            line, buffer = _line(pipe, buffer)
            if line is None:
                yield _broken(target, left.pop(0), child)
                break
            left.pop(0)
            outcome = Outcome(**json.loads(line))
            yield outcome
            if not left or not outcome.good:
                os.waitpid(child, 0)
                break
        os.close(pipe)


def _fork(target: Target, numbers: Sequence[int], folder: Path) -> tuple[int, int]:
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    try:
        os.close(read)
        os.setpgid(0, 0)
        _limit_memory()
        faulthandler.disable()  # a crash is an outcome; pytest would print it
        for number in numbers:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends this process, also within a call of C
            outcome = _outcome(target, number, folder)
            os.write(write, json.dumps(asdict(outcome)).encode() + b"\n")
            if not outcome.good:
                break
    finally:
        os._exit(0)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _GUARD_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcome(target: Target, number: int, folder: Path) -> Outcome:
    case = target.case(number)
    _enter(folder, case)
    before = _others(target, folder)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (proc(5))
    start, wall_start = _cpu_seconds(), time.monotonic()
    answer = target.run(case)
    seconds, wall_seconds, peak = _cpu_seconds() - start, time.monotonic() - wall_start, _peak_bytes()
    escaped = _others(target, folder) != before
    return Outcome(
        number,
        case.what,
        _kind(case, answer, seconds, peak, escaped=escaped),
        seconds,
        wall_seconds,
        peak,
        answer.trace or answer.line,
    )


def _enter(folder: Path, case: Case) -> None:
    """Makes the folder of the case the working directory."""
    own = folder / _CASE
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    for name, content in case.files.items():
        if isinstance(content, Special):
            put(content, own / name)
        else:
            (own / name).write_bytes(content)
    os.chdir(own)


def _others(target: Target, folder: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of change of each file that the case must leave alone."""
    paths = [path for path in folder.iterdir() if path.name not in (_CASE, *target.written)]
    paths += [below for path in paths if path.is_dir() for below in path.rglob("*")]
    states = ((str(path), path.lstat()) for path in paths if not path.name.endswith(_SHARED_MEMORY))
    return sorted((name, state.st_size, state.st_mtime_ns) for name, state in states)


def _kind(case: Case, answer: Answer, seconds: float, peak: int, *, escaped: bool) -> str:
    if escaped:
        return "wrote outside its folder"
    if peak > BYTES:
        return "too big"
    if seconds > SECONDS:
        return "too slow"
    if answer.exit_code == 0:
        other = case.expected is not None and answer.value != case.expected
        return "accepted with other numbers" if other else "ok"
    one_line = bool(answer.line.strip()) and "\n" not in answer.line.strip()
    return "refused" if answer.exit_code in REFUSALS and one_line and not answer.trace else "internal error"


def _cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _peak_bytes() -> int:
    """Of this process since the case began, and of its largest child so far."""
    status = Path("/proc/self/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _line(pipe: int, buffer: bytes) -> tuple[bytes | None, bytes]:
    """The next line of the pipe; None where the process ended or took too long."""
    end = time.monotonic() + _IDLE_SECONDS
    while b"\n" not in buffer:
        if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            return None, buffer
        content = os.read(pipe, 1 << 16)
        if not content:
            return None, buffer
        buffer += content
    line, _, rest = buffer.partition(b"\n")
    return line, rest


def _broken(target: Target, number: int, child: int) -> Outcome:
    time.sleep(0.1)  # the pipe may close just before the process ends
    ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return Outcome(number, target.case(number).what, "too slow", SECONDS, SECONDS, 0, "")
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        return Outcome(number, target.case(number).what, "too slow", SECONDS, SECONDS, 0, "")
    line = f"ended with {os.waitstatus_to_exitcode(status)}"
    sys.stderr.write(f"case {number}: {line}\n")
    return Outcome(number, target.case(number).what, "crash", 0.0, 0.0, 0, line)
