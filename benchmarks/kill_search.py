"""Kills searches with SIGKILL, for every strategy, resumes them, and compares them with uninterrupted ones.

Most kills come a few milliseconds after the store has a number of trials, which is drawn at random from one of as many
equal parts of the search as there are kills. The others come at random moments before the first trial; where a strategy
trains first, that is its training. Every kill hits a search that is running: a draw that came too late is drawn again.
Searches of two seeds take turns. What is compared: the trials with their bounds and results, the order in which
finalists were measured, the winners, and what the strategy would propose next, in which its state shows. Nothing that
was stored before the kill may be evaluated or measured again. Writes ``benchmarks/results/kill_search.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from kill_search_problem import fitted_budgets
from killed_search import KilledSearch, Moment, Part, Stored, Uninterrupted, exit_code, hit

from foundation.errors import UserError
from provenance import RESULTS, provenance, write_result
from search.strategies.optuna_sampler import SAMPLERS, OptunaSampler
from search.strategies.registry import STRATEGIES, make_strategy
from search.trial import Trial
from tests.search.test_loop import SPACE

RESULT = RESULTS / "kill_search.json"
SEEDS = (0, 1)
SMALL = {
    "evolution": "population=12",
    "random": "generation_size=12",
    "regularised-evolution": "population=12",
    "proxyless": "generation_size=12,warmup=10,paths=2,updates=50",
    "sgas": "generation_size=12,warmup=10,paths=2,delay=40,every=1",
}
"""Options with which a short search has several generations, and a short training a checkpoint before its end."""
SIDE_BY_SIDE = "ppo|evolution:population=12"
SLOW_SAMPLER = "gp"
FEWER_TRIALS = 24
"""Of the slow sampler."""


def all_strategies() -> list[str]:
    """Those of the registry, each sampler of Optuna, and two that take turns."""
    alone = [name for name in STRATEGIES.names if name != OptunaSampler.name]
    sizes = {sampler: 6 if sampler == SLOW_SAMPLER else 12 for sampler in SAMPLERS}
    return [
        *(f"{name}:{SMALL[name]}" if name in SMALL else name for name in alone),
        *(f"{OptunaSampler.name}:{sampler},generation_size={size}" for sampler, size in sizes.items()),
        SIDE_BY_SIDE,
    ]


def unmarked(trials: Sequence[Trial]) -> list[Trial]:
    """Without what differs each time."""
    return [replace(trial, created="", seconds=0.0) for trial in trials]


def compared(before: Stored, after: Stored, whole: Stored) -> dict[str, bool]:
    """What holds of a resumed search, ``before`` being what the kill left of it."""
    known, kept = before.trials, after.trials[: len(before.trials)]
    again = {trial.id for trial in known}.intersection(after.last.get("evaluated", ()))
    measured_again = set(before.measured).intersection(after.last.get("measured", ()))
    return {
        "nothing_lost": [(trial.id, trial.created) for trial in known] == [(trial.id, trial.created) for trial in kept]
        and before.measured == after.measured[: len(before.measured)],
        "nothing_twice": len({trial.id for trial in after.trials}) == len(after.trials)
        and not again
        and not measured_again,
        "same_trials": unmarked(after.trials) == unmarked(whole.trials),
        "same_measurements": after.measured == whole.measured,
        "same_winners": winners(after) == winners(whole),
        "same_next_proposals": bool(whole.last["proposals"]) and after.last.get("proposals") == whole.last["proposals"],
    }


def winners(found: Stored) -> set[str]:
    return {trial.id for trial in found.trials if trial.certified}


def one_kill(whole: Uninterrupted, folder: Path, moments: Iterator[Moment]) -> dict[str, Any]:
    """Kills, resumes and compares."""
    search, before, late = hit(whole, folder, moments)
    ends_well = exit_code(search.start()) == 0
    return {
        "seed": search.seed,
        "trials_at_the_kill": len(before.trials),
        "after_widening": before.widened,
        "draws_too_late": late,
        "checks": {"ends_well": ends_well, **compared(before, search.stored(), whole.found)},
    }


def all_kills(root: Path, wholes: Sequence[Uninterrupted], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Of one strategy: those in the search, then those before its first trial; the seeds take turns."""
    random = Random(f"{options.seed}/{wholes[0].search.strategy}")
    draws = [(Uninterrupted.in_search, part) for part in parts(options.kills)]
    draws += [(Uninterrupted.in_preparation, part) for part in parts(options.preparation_kills)]
    turns = zip(cycle(wholes), draws, strict=False)
    return [
        one_kill(whole, root / str(number), draw(whole, part, random))
        for number, (whole, (draw, part)) in enumerate(turns)
    ]


def parts(count: int) -> list[Part]:
    """Equal ones."""
    return [(number / count, (number + 1) / count) for number in range(count)]


def strategy_row(root: Path, strategy: str, options: argparse.Namespace) -> dict[str, Any]:
    """All kills of one strategy."""
    slow = strategy.startswith(f"{OptunaSampler.name}:{SLOW_SAMPLER}")
    trials = min(FEWER_TRIALS, options.trials) if slow else options.trials
    try:
        make_strategy(strategy, SPACE, fitted_budgets())
        searches = [KilledSearch(root / f"whole{seed}", strategy, trials, seed) for seed in SEEDS]
        wholes = [Uninterrupted.of(search) for search in searches]
        kills = all_kills(root, wholes, options)
    except (UserError, RuntimeError) as error:
        print(f"{strategy}: {error}", file=sys.stderr)
        return {"strategy": strategy, "not_run": str(error)}
    row = {
        "strategy": strategy,
        "trials": trials,
        "seconds": [round(whole.seconds, 2) for whole in wholes],
        "preparation_s": [round(whole.preparation_s, 2) for whole in wholes],
        **summary(kills, options.kills),
    }
    note = {"note": "fewer trials than the others, since its sampler takes long for each proposal"} if slow else {}
    print(f"{strategy}: {row['seconds']} s without interruption, {row['passed']}", file=sys.stderr)
    return row | note


def summary(kills: Sequence[dict[str, Any]], in_search: int) -> dict[str, Any]:
    """Of the kills of one strategy; the first ``in_search`` came after a trial."""
    at = [kill["trials_at_the_kill"] for kill in kills[:in_search]]
    return {
        "kills": len(kills),
        "killed_in_preparation": len(kills) - in_search,
        "killed_after_widening": sum(kill["after_widening"] for kill in kills),
        "draws_too_late": sum(kill["draws_too_late"] for kill in kills),
        "trials_at_the_kill": {"least": min(at), "median": float(np.median(at)), "most": max(at)},
        "passed": {check: sum(kill["checks"][check] for kill in kills) for check in kills[0]["checks"]},
        "failures": [kill for kill in kills if not all(kill["checks"].values())],
    }


def goals(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every strategy is run, each is killed after its bound was widened, and every check holds after every kill."""
    run = [row for row in rows if "not_run" not in row]
    kills = sum(row["kills"] for row in run)
    widened = min((row["killed_after_widening"] for row in run), default=0)
    shares = {check: sum(row["passed"][check] for row in run) / kills for check in (run[0]["passed"] if run else ())}
    return [
        {"what": "strategies run", "goal": str(len(rows)), "value": len(run), "met": len(run) == len(rows) > 0},
        {"what": "kills after a bound was widened, fewest of a strategy", "goal": ">= 1", "value": widened}
        | {"met": widened >= 1},
        *(
            {"what": f"{check}, share of kills", "goal": "1", "value": share, "met": share == 1}
            for check, share in shares.items()
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=15, help="after a trial, for each strategy; at least 1")
    parser.add_argument("--preparation-kills", type=int, default=5, help="before the first trial")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--strategies", default=";".join(all_strategies()), help="separated by semicolons")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            strategy_row(Path(folder).absolute() / str(number), strategy, options)
            for number, strategy in enumerate(options.strategies.split(";"))
        ]
    document = {"benchmark": "kill_search", "rows": rows, "goals": goals(rows)}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
