"""Kills searches with SIGKILL at random moments, for every strategy, and resumes them.

The search runs in a forked process on a small space of a formula; one estimate takes a few milliseconds. It is killed
at a random moment of an uninterrupted search and resumed; a strategy that trains first may be killed while it does.
The trials that it ends with are compared with those of the uninterrupted search: the same, in the same order, none
lost, none twice. Writes
``benchmarks/results/kill_search.json``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from foundation.errors import UserError
from provenance import RESULTS, provenance, write_result
from search.architecture import Architecture
from search.loop import run_search
from search.settings import SearchSettings
from search.strategies.registry import STRATEGIES, make_strategy
from search.trial import Trial
from search.trials import TrialStore
from tests.search.strategies.gates_task import TaskEvaluator
from tests.search.test_loop import SPACE, TRUTH, toy_budgets
from tests.search.toy import NoisyDevice, certify

RESULT = RESULTS / "kill_search.json"
EVALUATION_S = 0.005
CHECKS = ("killed_while_running", "ends_well", "nothing_lost", "nothing_twice", "same_trials", "same_winners")


class SlowEvaluator(TaskEvaluator):
    """One estimate takes ``EVALUATION_S``; it has a task, on which strategies may train before they propose."""

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        """As the formula says."""
        time.sleep(EVALUATION_S * len(architectures))
        return super().quality(architectures)


def searched(folder: Path, strategy: str, trials: int) -> None:
    """Starts the search, or continues it."""
    budgets, settings = toy_budgets(), SearchSettings(trials=trials, winners=2, feasibility_samples=30)
    device = NoisyDevice(TRUTH, noise=0.0)
    with TrialStore(folder / "trials.sqlite") as store:
        run_search(
            SPACE,
            budgets,
            SlowEvaluator(folder),
            make_strategy(strategy, SPACE, budgets),
            store,
            settings,
            measure=device.measure,
            certify=certify,
        )


def started(folder: Path, strategy: str, trials: int) -> int:
    """A process that searches; its id."""
    folder.mkdir(exist_ok=True)
    process = os.fork()
    if process:
        return process
    try:
        searched(folder, strategy, trials)
    except BaseException as error:
        sys.stderr.write(f"{strategy}: {error}\n")
        os._exit(1)
    os._exit(0)


def ended(process: int) -> int:
    """Its exit code; negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def stored(folder: Path) -> list[Trial]:
    path = folder / "trials.sqlite"
    if not path.is_file():
        return []
    with TrialStore(path) as store:
        return store.trials()


def ids(trials: Sequence[Trial]) -> list[str]:
    return [trial.id for trial in trials]


def winners(trials: Sequence[Trial]) -> set[str]:
    return {trial.id for trial in trials if trial.certified}


def one_kill(root: Path, strategy: str, trials: int, whole: list[Trial], after_s: float) -> dict[str, Any]:
    """Kills, resumes and compares."""
    process = started(root, strategy, trials)
    time.sleep(after_s)
    os.kill(process, signal.SIGKILL)
    killed = ended(process) == -signal.SIGKILL
    before = stored(root)
    ends_well = ended(started(root, strategy, trials)) == 0
    after = stored(root)
    checks = {
        "killed_while_running": killed,
        "ends_well": ends_well,
        "nothing_lost": [(trial.id, trial.created) for trial in before]
        == [(trial.id, trial.created) for trial in after[: len(before)]],
        "nothing_twice": len(set(ids(after))) == len(after),
        "same_trials": ids(after) == ids(whole),
        "same_winners": winners(after) == winners(whole),
    }
    return {"after_s": round(after_s, 3), "trials_at_the_kill": len(before), **checks}


def strategy_row(root: Path, strategy: str, options: argparse.Namespace) -> dict[str, Any]:
    """All kills of one strategy."""
    root.mkdir()
    try:
        make_strategy(strategy, SPACE, toy_budgets())
    except UserError as error:
        return {"strategy": strategy, "not_run": str(error)}
    began = time.monotonic()
    if ended(started(root / "whole", strategy, options.trials)):
        return {"strategy": strategy, "not_run": "the uninterrupted search fails; stderr says why"}
    seconds, whole, random = time.monotonic() - began, stored(root / "whole"), Random(f"{options.seed}/{strategy}")
    kills = [
        one_kill(root / str(number), strategy, options.trials, whole, random.uniform(0, 0.95 * seconds))
        for number in range(options.kills)
    ]
    passed = {check: sum(kill[check] for kill in kills) for check in CHECKS}
    print(f"{strategy}: {seconds:.1f} s without interruption, {passed}", file=sys.stderr)
    at = [kill["trials_at_the_kill"] for kill in kills]
    summary = {"strategy": strategy, "seconds": round(seconds, 2), "trials": len(whole), "kills": len(kills)}
    spread = {"trials_at_the_kill": {"least": min(at), "median": float(np.median(at)), "most": max(at)}}
    failures = [kill for kill in kills if not all(kill[check] for check in CHECKS[1:])]
    return {**summary, "passed": passed, **spread, "failures": failures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="for each strategy")
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--strategies", default=";".join(STRATEGIES.names), help="separated by semicolons")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            strategy_row(Path(folder) / str(number), strategy, options)
            for number, strategy in enumerate(options.strategies.split(";"))
        ]
    run = [row for row in rows if "not_run" not in row]
    goals = [
        {"what": f"{check}, share of kills", "goal": "1", "value": value, "met": value == 1}
        for check in CHECKS[1:]
        for value in [sum(row["passed"][check] for row in run) / max(1, sum(row["kills"] for row in run))]
    ]
    document = {"benchmark": "kill_search", "rows": rows, "goals": goals}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
