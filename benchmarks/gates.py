"""Strategies with gates beside random search and evolution: best and mean quality at equal numbers of trials.

Every search has the same budgets, the same evaluator ``pretrained`` (which judges by nets that were trained in advance,
and not by the weights with which the gates learn) and the same data, synthetic portraits at 128 x 128. Latency is a
formula, so the figures do not depend on a machine; only the seconds do. Writes ``benchmarks/results/gates.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from foundation.progress import Progress
from latency.operators.operator import OperatorGraph
from provenance import RESULTS, provenance, save
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.evaluators.registry import make_evaluator
from search.loop import run_search
from search.options import DataOptions, TrainingOptions
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import make_strategy
from search.tasks.task import TaskOptions
from search.trials import TrialStore

RESULT = RESULTS / "gates.json"
SIZE = (128, 128)
SPACE = PortraitSpace(sizes=(SIZE,))
MS_PER_MFLOP, MS_PER_OPERATOR = 0.02, 0.01
STRATEGIES = ("random", "proxyless", "sgas", "evolution")


@dataclass(frozen=True)
class Formula:
    """Latency and its bound of one net."""

    latency_ms: float

    @property
    def upper_ms(self) -> float:
        """The formula is exact."""
        return self.latency_ms


class FormulaPredictor:
    """Predicts latency from the numbers of operations and operators."""

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Formula]:
        """One prediction per graph, in order."""
        return [Formula(MS_PER_MFLOP * one.flops / 1e6 + MS_PER_OPERATOR * len(one.operators)) for one in graphs]


def searched(strategy: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One search: qualities of its trials, candidates that violated a budget, seconds."""
    budgets = Budgets(
        ParameterBudget(options.max_parameters), (LatencyBudget("formula", options.max_ms, FormulaPredictor()),)
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, TrialStore(Path(name) / "trials.sqlite") as store:
        training = TrainingOptions(threads=options.threads)
        data = DataOptions(source=options.data, size=SIZE)
        task = SPACE.make_task(TaskOptions(data, training, seed, Path(name)))
        evaluator = make_evaluator(options.evaluator, SPACE, task, folder=Path(name), seed=seed)
        made = make_strategy(strategy, SPACE, budgets, seed=seed)
        settings = SearchSettings(trials=options.trials, seed=seed)
        result = run_search(SPACE, budgets, evaluator, made, store, settings, on_progress=show)
    qualities = [trial.quality for trial in result.trials]
    return {
        "strategy": strategy,
        "seed": seed,
        "trials": len(qualities),
        "best_quality": round(max(qualities), 4),
        "best_of_first_generation": round(max(qualities[: made.generation_size]), 4),
        "mean_quality": round(mean(qualities), 4),
        "violating": sum(result.rejected.values()),
        "seconds": round(time.monotonic() - began, 1),
    }


def show(progress: Progress) -> None:
    """Every fiftieth step, for people who wait."""
    if progress.done % 50 == 0:
        sys.stderr.write(f"{progress.stage} {progress.done}/{progress.total} {progress.note}\n")


def main() -> None:
    """Runs all searches and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--trials", type=int, default=72)
    parser.add_argument("--data", default="synthetic:320")
    parser.add_argument("--evaluator", default="pretrained")
    parser.add_argument("--max-parameters", type=int, default=400_000)
    parser.add_argument("--max-ms", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for seed in options.seeds:
        for strategy in options.strategies:
            rows.append(searched(strategy, seed, options))
            sys.stderr.write(f"{rows[-1]}\n")
            limits = {"parameters": options.max_parameters, "formula_ms": options.max_ms}
            document = {"limits": limits, "data": options.data, "evaluator": options.evaluator, "searches": rows}
            save(options.result, {**document, "provenance": provenance()})


if __name__ == "__main__":
    main()
