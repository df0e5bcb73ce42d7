"""Every strategy against random search, and against Optuna's samplers without our repair, on the space ``portrait``.

Quality is the estimate of the evaluator ``pretrained``, which takes no time; latency is a formula over the operators of
an invented machine (``strategies_problem.py``). Both are the same for all. Samplers without repair are told of their
proposals in two ways (``strategies_without_repair.py``). Numbers are means over the seeds, with 95 % bootstrap
intervals, and differences from both baselines over the seeds; seconds are those of the processor. Writes
``benchmarks/results/strategies.json`` after each search; ``--summarise`` computes from its rows what follows from them.

A strategy that must be prepared gets a task on synthetic scenes. ``--strategies`` chooses; ``optuna:gp`` is left out
unless it is named, since it takes long.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))  # the volume of a front is computed as in tests/

from strategies_problem import Problem
from strategies_summary import COURSE, Row, summarised
from strategies_without_repair import without_repair

from foundation.errors import UserError
from provenance import RESULTS, print_goals, provenance, save, summarise_again
from search.constraints.feasibility import feasibility
from search.constraints.feasible_sampler import feasible_sampler
from search.loop import run_search
from search.settings import SearchSettings
from search.strategies.optuna_sampler import SAMPLERS
from search.strategies.registry import STRATEGIES, make_strategy
from search.trials import TrialStore

RESULT = RESULTS / "strategies.json"
WITHOUT_REPAIR = ("tpe", "nsga2")
STEP = 20
"""Evaluations between two points of a course."""
SLOW = "gp"
USABLE_IN_2020 = {"candidates": 1122, "within the limit of parameters": 16}
"""Of a search without a hard constraint."""


class Clock:
    """Seconds of the processor spent in the methods of a strategy, and what they proposed."""

    def __init__(self) -> None:
        self.seconds, self.proposals = 0.0, 0

    def timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, whose time counts."""

        def call(*values: Any) -> Any:
            began = time.process_time()
            found = method(*values)
            self.seconds += time.process_time() - began
            self.proposals += len(found or ())
            return found

        return call


def with_repair(problem: Problem, text: str, seed: int, folder: Path) -> Row:
    """One search of a strategy."""
    strategy, clock = make_strategy(text, problem.space, problem.budgets, seed=seed), Clock()
    for name in ("ask", "tell"):
        setattr(strategy, name, clock.timed(getattr(strategy, name)))
    settings = SearchSettings(trials=problem.trials, seed=seed)
    began = time.process_time()
    with TrialStore(folder / f"{text.replace(':', '-')}-{seed}.sqlite") as store:
        result = run_search(problem.space, problem.budgets, problem.evaluator, strategy, store, settings)
        repaired = store.repaired()
    seconds = time.process_time() - began
    usable = [t for t in result.trials if not problem.budgets.violated(t.parameters, t.upper_ms)]
    ratios = [problem.ratios(t.parameters, t.upper_ms) for t in usable]
    qualities = [t.quality for t in usable]
    places = range(STEP, len(usable) + 1, STEP)
    course = [[place, *problem.outcome(qualities[:place], ratios[:place]).values()] for place in places]
    return problem.outcome(qualities, ratios) | {
        "evaluations": len(result.trials),
        "usable_share": len(usable) / len(result.trials),
        "proposals": clock.proposals,
        "repaired": repaired,
        "seconds_per_100_proposals": 100 * clock.seconds / clock.proposals,
        "evaluations_per_hour": 3600 * len(result.trials) / seconds,
        COURSE: course,
    }


def default_strategies() -> list[str]:
    samplers = [f"optuna:{name}" for name in SAMPLERS if name != SLOW]
    return [*(name for name in STRATEGIES.names if name != "optuna"), *samplers]


def searches(problem: Problem, options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Row]]:
    """Name and row of each search, seed by seed; a strategy that cannot be used here has a row with the reason."""
    for seed in range(options.seeds):
        for text in options.strategies:
            try:
                yield text, with_repair(problem, text, seed, folder)
            except UserError as error:
                yield text, {"refused": str(error)}
        for name in options.without_repair:
            for how, row in without_repair(problem, name, seed).items():
                yield f"optuna:{name} without repair, {how}", row


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="*", default=default_strategies())
    parser.add_argument("--without-repair", nargs="*", default=list(WITHOUT_REPAIR))
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--max-ms", type=float, default=0.3)
    parser.add_argument("--max-parameters", type=int, default=400_000)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--summarise", action="store_true", help="search nothing: summarise the rows of --output anew")
    options = parser.parse_args()
    if options.summarise:
        summarise_again(options.output, summarised)
    else:
        search_all(options)


def search_all(options: argparse.Namespace) -> None:
    """Writes the result after each search."""
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem.make(
            max_ms=options.max_ms,
            max_parameters=options.max_parameters,
            trials=options.trials,
            folder=Path(folder),
        )
        found = feasibility(problem.space, problem.budgets)
        document = {
            "benchmark": "strategies",
            "settings": vars(options) | {"output": options.output.name},
            "feasible_share_of_random_nets": found.feasible_fraction,
            "in_2020": USABLE_IN_2020,
        }
        problem.evaluator.prepare(feasible_sampler(problem.space, problem.budgets))
        for name, row in searches(problem, options, Path(folder)):
            rows.setdefault(name, []).append(row)
            sys.stderr.write(f"{name}: {json.dumps(row)}\n")
            document |= {**summarised(rows), "rows": rows}
            save(options.output, document | provenance())
    print_goals(document["goals"])


if __name__ == "__main__":
    main()
