"""Kills commands with SIGKILL and SIGTERM at random moments, runs them again to their end, and compares.

Each command is killed in a copy of the workspace in which an uninterrupted one found it. What the second run leaves is
compared with what the uninterrupted one left. A winner whose measurement was stored and whose decision was not is
measured again with the same numbers: that is counted (``winners_measured_again``) and is no failure. Numbers of the
device ``simulated`` depend on the seed only. Writes ``benchmarks/results/kill.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from workspace_results import differences, results_of, rows

from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "kill.json"
DEVICE = "simulated:noise=0.02"
PROFILE = ("profile", "--device", DEVICE, "--size", "128x128", "--models", "12", "--operators", "4")
FIT = ("fit", "--device", DEVICE)
SEARCH = (
    *("search", "--device", DEVICE, "--max-latency", "2ms", "--size", "128x128", "--winner-epochs", "8"),
    *("--data", "synthetic:24", "--data-size", "64x64", "--evaluation-images", "2"),
    *("--batch-size", "4", "--scene-steps", "0", "--evaluator", "supernet"),
    *("--trials", "12", "--teacher-epochs", "0", "--supernet-steps", "10", "--calibration-nets", "4"),
    *("--training-threads", "1"),
)
STEPS = ("profile", "fit", "search", "train", "export")
CHECKS = ("ends_well", "nothing_lost", "nothing_twice", "equal_results", "temporary_folder_empty", "no_orphan")
SIMULATED = 4
"""Exit code of an export without a certificate."""
ORPHAN_S = 2.0
"""Time that processes of a killed command may take to end."""
MARK = "LATSEG_KILL_BENCHMARK"
WHOLE, KILLED = "whole", "trial"
"""Folders whose names have one length: a bundle names its workspace and the size of the file that does."""
OFFERED = "continue with: "
OF_TORCH = "torchinductor_"
"""An empty folder that torch makes and keeps, whether or not it is killed."""


@dataclass(frozen=True)
class Place:
    """A workspace and a folder for temporary files of its own."""

    root: Path

    @property
    def workspace(self) -> Path:
        """What the commands work on."""
        return self.root / "workspace"

    @property
    def temporary(self) -> Path:
        """``TMPDIR`` of the commands."""
        return self.root / "temporary"

    def words(self, step: str) -> tuple[str, ...]:
        """The command line of a step; ``search`` continues a run where there is one."""
        runs = sorted(path.parent.name for path in self.workspace.glob("runs/*/run.json"))
        if step == "search" and runs:
            return ("search", "--resume", runs[0])
        if step in {"train", "export"}:
            return (step, runs[0], "--winner", self._winner(runs[0]))
        return {"profile": PROFILE, "fit": FIT, "search": SEARCH}[step]

    def start(self, words: Sequence[str], mark: str = "") -> subprocess.Popen[bytes]:
        """A command; it and all processes that it starts carry the mark."""
        command = [sys.executable, "-m", "latseg", "--workspace", str(self.workspace), *words]
        environment = {**os.environ, "TMPDIR": str(self.temporary), MARK: mark}
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)

    def copy(self, root: Path) -> Place:
        """The same in another folder, in the place of what is there."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.root, root)
        return Place(root)

    def kept(self) -> dict[str, list[tuple[Any, ...]]]:
        """What was stored and must not be lost, nor be there twice."""
        measured = rows(self.workspace / "measurements.sqlite", "measurements", "id, label, source, measurement")
        trials = [
            row
            for path in self.workspace.glob("runs/*/trials.sqlite")
            for row in rows(path, "trials", "position, id, architecture, quality, created")
        ]
        return {"measurements": measured, "trials": trials}

    def _winner(self, run: str) -> str:
        found = rows(self.workspace / "runs" / run / "trials.sqlite", "findings", "trial, holds, position")
        return str(next(trial for trial, holds, _ in sorted(found, key=lambda row: row[2]) if holds))


@dataclass
class Uninterrupted:
    """A step without interruption: the place before it, what it left, and how long it took."""

    before: Place
    results: dict[str, Any]
    winners: int
    """Measurements of winners."""
    seconds: float


@dataclass
class Trial:
    """One kill."""

    step: str
    signal: str
    after_seconds: float
    winners_measured_again: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """From a check that failed to what was seen."""

    def check(self, name: str, seen: object) -> None:
        """``seen`` is what should not be there."""
        if seen:
            self.failed[name] = str(seen)[:500]


def finish(place: Place, words: Sequence[str]) -> tuple[int, str]:
    process = place.start(words)
    _, said = process.communicate()
    return process.returncode, said.decode(errors="replace")


def uninterrupted(root: Path, steps: Sequence[str]) -> dict[str, Uninterrupted]:
    """Runs all steps up to the last one asked for, each once."""
    place = Place(root / WHOLE)
    place.temporary.mkdir(parents=True)
    done = {}
    for step in STEPS[: 1 + max(map(STEPS.index, steps))]:
        before = place.copy(root / f"before-{step}")
        started = time.monotonic()
        code, said = finish(place, place.words(step))
        assert code in {0, SIMULATED}, said
        seconds = time.monotonic() - started
        winners = len(measured_by(place.kept(), {"winner"}))
        done[step] = Uninterrupted(before, results_of(place.workspace), winners, seconds)
        print(f"{step}: {done[step].seconds:.1f} s without interruption", file=sys.stderr)
    return done


def marked(mark: str) -> list[str]:
    """Command lines of the living processes that were started with this mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def orphans(mark: str) -> list[str]:
    end = time.monotonic() + ORPHAN_S
    while (left := marked(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def killed(place: Place, step: str, sent: signal.Signals, after_s: float) -> tuple[str, list[str]] | None:
    """What the command said and the processes that it left; None where it had ended before."""
    mark = uuid4().hex
    process = place.start(place.words(step), mark)
    try:
        _, said = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(sent)
        _, said = process.communicate()
        return said.decode(errors="replace"), orphans(mark)
    return None


def again(place: Place, step: str, said: str) -> Sequence[str]:
    """The command line that was offered, else the same as before."""
    if OFFERED in said:
        return shlex.split(said.rsplit(OFFERED, maxsplit=1)[-1].splitlines()[0])[1:]
    return place.words(step)


def measured_by(kept: dict[str, list[tuple[Any, ...]]], sources: set[str]) -> list[tuple[Any, ...]]:
    return [row for row in kept["measurements"] if row[2] in sources]


def twice(stored: Sequence[tuple[Any, ...]]) -> list[str]:
    """Labels or ids that are in several rows."""
    names = [row[1] for row in stored]
    return sorted({name for name in names if names.count(name) > 1})


def one_trial(root: Path, step: str, reference: Uninterrupted, sent: signal.Signals, random: Random) -> Trial:
    """Kills a step at a random moment and checks what comes of it."""
    while True:
        place = reference.before.copy(root / KILLED)
        after_s = random.uniform(0, reference.seconds)
        outcome = killed(place, step, sent, after_s)
        if outcome is not None:
            break
    said, left = outcome
    trial = Trial(step, sent.name, round(after_s, 2))
    trial.check("no_orphan", left)
    stored = place.kept()
    code, second = finish(place, again(place, step, said))
    trial.check("ends_well", second if code not in {0, SIMULATED} or "Traceback" in said + second else "")
    kept = place.kept()
    trial.check("nothing_lost", [row for table, known in stored.items() for row in known if row not in kept[table]])
    trial.check("nothing_twice", twice(kept["trials"]) + twice(measured_by(kept, {"campaign", "operator"})))
    trial.winners_measured_again = len(measured_by(kept, {"winner"})) - reference.winners
    trial.check("equal_results", differences(results_of(place.workspace), reference.results))
    names = (path.name for path in place.temporary.iterdir())
    trial.check("temporary_folder_empty", [name for name in names if not name.startswith(OF_TORCH)])
    return trial


def summary(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Counts by command and signal."""
    counted = []
    for step, sent in dict.fromkeys((trial.step, trial.signal) for trial in trials):
        own = [trial for trial in trials if (trial.step, trial.signal) == (step, sent)]
        passed = {check: sum(check not in trial.failed for trial in own) for check in CHECKS}
        winners = sum(trial.winners_measured_again for trial in own)
        row = {"command": step, "signal": sent, "kills": len(own), "passed": passed}
        counted.append(row | {"winners_measured_again": winners})
    return counted


def all_trials(root: Path, steps: Sequence[str], kills: int, terms: int, seed: int) -> Iterator[list[Trial]]:
    """The trials of one command after the other."""
    references = uninterrupted(root, steps)
    for step in steps:
        random, trials = Random(f"{seed}/{step}"), []
        for sent in [signal.SIGKILL] * kills + [signal.SIGTERM] * terms:
            trial = one_trial(root, step, references[step], sent, random)
            trials.append(trial)
            print(f"{step}: {trial.signal} after {trial.after_seconds} s: {trial.failed or 'good'}", file=sys.stderr)
        yield trials


def write(path: Path, trials: Sequence[Trial]) -> None:
    """Adds the trials of one command to what the file says of the others, each with its provenance."""
    known = json.loads(path.read_text()) if path.is_file() else {"rows": [], "failures": []}
    done = {trial.step for trial in trials}
    rows = [row for row in known["rows"] if row["command"] not in done]
    rows += [row | {"provenance": provenance()} for row in summary(trials)]
    failures = [one for one in known["failures"] if one["step"] not in done]
    failures += [vars(trial) for trial in trials if trial.failed]
    kills = sum(row["kills"] for row in rows)
    goals = [
        {"what": f"{check}, share of kills", "goal": "1", "value": value, "met": value == 1}
        for check in CHECKS
        for value in [sum(row["passed"][check] for row in rows) / kills]
    ]
    write_result(path, {"benchmark": "kill", "rows": rows, "failures": failures, "goals": goals})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="SIGKILL, for each command")
    parser.add_argument("--terms", type=int, default=10, help="SIGTERM, for each command")
    parser.add_argument("--commands", default=",".join(STEPS), help="comma-separated")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps = options.commands.split(",")
        for trials in all_trials(Path(folder), steps, options.kills, options.terms, options.seed):
            write(options.output, trials)


if __name__ == "__main__":
    main()
