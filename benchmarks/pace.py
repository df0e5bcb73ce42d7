"""How many networks a search evaluates in an hour, and where its processor time goes, for each evaluator.

Searches of the space ``portrait`` on synthetic portraits, with the smallest amounts of training and without measuring;
the predictor is a formula, so what a fitted predictor adds to the checks is not in it (``throughput.json`` has that).
Times are processor times of one process with one thread, each spent in one part only: repair without the checks in it,
and so on. The preparation of the evaluator (its training) is a part of its own and is left out of the pace. Writes
``benchmarks/results/pace.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from provenance import RESULTS, provenance, write_result
from search import proposals
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.evaluators.registry import make_evaluator
from search.loop import run_search
from search.options import DataOptions, TrainingOptions
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.state import SearchState
from search.strategies.registry import make_strategy
from search.strategies.strategy import Strategy
from search.tasks.task import TaskOptions
from search.trials import TrialStore
from tests.search.toy import FormulaPredictor

RESULT = RESULTS / "pace.json"
EVALUATORS = {"pretrained": 1000, "regression:nets=4,examples=8": 400, "supernet:pool=8": 24}
"""With the number of trials: enough for some seconds."""
SIZE = (128, 128)
BUDGET_MS, PARAMETERS = 6.0, 400_000


class Parts:
    """Processor time by part; a part within another one interrupts it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._stack: list[str] = ["other"]
        self._since = time.process_time()

    def _switch(self) -> None:
        now = time.process_time()
        self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time counts for ``part``."""

        def call(*values: Any, **named: Any) -> Any:
            self._switch()
            self._stack.append(part)
            try:
                return function(*values, **named)
            finally:
                self._switch()
                self._stack.pop()

        return call

    def patch(self, place: Any, name: str, part: str) -> None:
        """Replaces a function by its timed form, for the rest of this process."""
        setattr(place, name, self.timed(part, getattr(place, name)))


def instrumented() -> Parts:
    parts = Parts()
    parts.patch(Strategy, "ask", "strategy")
    parts.patch(Strategy, "tell", "strategy")
    parts.patch(Budgets, "check_many", "checks")
    parts.patch(proposals, "repair", "repair")
    parts.patch(SearchState, "report", "progress")
    for name in ("add", "add_rejections", "trials", "identify"):
        parts.patch(TrialStore, name, "store")
    return parts


def searched(evaluator: str, trials: int, parts: Parts) -> dict[str, Any]:
    """Pace and shares of one search."""
    space = PortraitSpace(sizes=(SIZE,))
    budgets = Budgets(ParameterBudget(PARAMETERS), (LatencyBudget("formula", BUDGET_MS, FormulaPredictor()),))
    training = TrainingOptions(supernet_steps=1, batch_size=4, evaluation_images=8, threads=1)
    task = space.make_task(TaskOptions(DataOptions(source="synthetic:24", size=SIZE), training))
    parts.seconds.clear()
    with tempfile.TemporaryDirectory() as folder, TrialStore(Path(folder) / "trials.sqlite") as store:
        made: Any = make_evaluator(evaluator, space, task, folder=Path(folder))
        made.prepare = parts.timed("preparation", made.prepare)
        made.quality = parts.timed("evaluation", made.quality)
        strategy = make_strategy("evolution", space, budgets)
        search = parts.timed("other", run_search)
        found = search(space, budgets, made, strategy, store, SearchSettings(trials=trials))
    seconds = {part: spent for part, spent in parts.seconds.items() if part != "preparation"}
    total = sum(seconds.values())
    return {
        "evaluator": evaluator,
        "trials": len(found.trials),
        "evaluations_per_hour": round(3600 * len(found.trials) / total),
        "seconds": round(total, 2),
        "preparation_seconds": round(parts.seconds["preparation"], 2),
        "shares": {part: round(spent / total, 3) for part, spent in sorted(seconds.items(), key=lambda one: -one[1])},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluators", default=";".join(EVALUATORS), help="separated by semicolons")
    parser.add_argument("--label", default="now", help="key of this result in the file; others stay")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts, rows = instrumented(), []
    for evaluator in options.evaluators.split(";"):
        rows.append(searched(evaluator, EVALUATORS.get(evaluator, 100), parts))
        print(rows[-1], file=sys.stderr)
    known = json.loads(options.output.read_text())["results"] if options.output.is_file() else {}
    known[options.label] = {"rows": rows, **provenance()}
    write_result(options.output, {"benchmark": "pace", "results": known, "goals": []})


if __name__ == "__main__":
    main()
