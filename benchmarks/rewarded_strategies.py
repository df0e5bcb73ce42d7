"""The strategies of a search at equal cost: best quality after so many trials of the space ``portrait``.

Quality is that of the evaluator ``pretrained``, a regression on trained nets. Latency is a formula, time for FLOPs and
for operators, so that nothing is measured and every figure comes out again. Writes
``benchmarks/results/rewarded_strategies.json``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, cast

from paired import beyond_chance, paired_difference

from latency.operators.operator import OperatorGraph
from provenance import RESULTS, provenance, summarise_again, write_result
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.evaluators.pretrained import PretrainedEvaluator
from search.loop import run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import STRATEGIES, make_strategy
from search.tasks.task import Task
from search.trials import TrialStore

SPACE = PortraitSpace()
BASELINE = "random"
LAST = 40
"""Trials whose mean quality shows what a strategy proposes in the end."""


@dataclass(frozen=True)
class Bounded:
    """A prediction that is its own bound."""

    latency_ms: float
    upper_ms: float


class Formula:
    """0.02 ms for a million FLOPs and 0.02 ms for an operator."""

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        """In order."""
        times = [0.02 * graph.flops / 1e6 + 0.02 * len(graph.operators) for graph in graphs]
        return [Bounded(ms, ms) for ms in times]


def searched(text: str, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """One search under both budgets."""
    budgets = Budgets(ParameterBudget(options.parameters), (LatencyBudget("formula", options.ms, Formula()),))
    settings = SearchSettings(trials=options.trials, seed=seed, feasibility_samples=50)
    strategy, began = make_strategy(text, SPACE, budgets, seed=seed), time.process_time()
    with tempfile.TemporaryDirectory() as folder, TrialStore(Path(folder) / "trials.sqlite") as store:
        evaluator = PretrainedEvaluator(SPACE, cast("Task", None), folder=Path(folder))
        qualities = [trial.quality for trial in run_search(SPACE, budgets, evaluator, strategy, store, settings).trials]
    seconds = time.process_time() - began
    return {"best": max(qualities), "last": fmean(qualities[-LAST:]), "trials": len(qualities), "seconds": seconds}


def row_of(text: str, options: argparse.Namespace) -> dict[str, Any]:
    runs = [searched(text, seed, options) for seed in range(options.seeds)]
    found = {key: fmean(run[key] for run in runs) for key in runs[0]}
    return {"strategy": text, **found, "best_sd": stdev(run["best"] for run in runs), "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES.builtin))
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parameters", type=int, default=400_000)
    parser.add_argument("--ms", type=float, default=6.0)
    parser.add_argument("--output", type=Path, default=RESULTS / "rewarded_strategies.json")
    parser.add_argument("--summarise", action="store_true", help="search nothing: summarise the rows of --output anew")
    options = parser.parse_args()
    if options.summarise:
        summarise_again(options.output, summarised)
        return
    rows: list[dict[str, Any]] = []
    for text in options.strategies:
        rows.append(row_of(text, options))
        write(rows, options)


def write(rows: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """Writes what is known so far."""
    settings = vars(options) | {"output": options.output.name}
    document = {"benchmark": "rewarded_strategies", "settings": settings, "rows": rows}
    write_result(options.output, document | summarised(rows) | provenance())


def summarised(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What each strategy's best networks gain over those of the baseline with the same seeds, and whether by chance."""
    best = {row["strategy"]: [run["best"] for run in row["runs"]] for row in rows}
    base = best.pop(BASELINE, None)
    paired = {text: paired_difference(values, base) for text, values in best.items()} if base else {}
    goals = [
        {"what": f"best quality of {text} less that of {BASELINE}, lower end of the 95 % interval", "goal": "> 0",
         "value": found["interval"][0], "met": beyond_chance(found)}
        for text, found in paired.items()
    ]  # fmt: skip
    return {"paired": paired, "goals": goals}


if __name__ == "__main__":
    main()
