"""Two decisions about how strategies see the space ``portrait``, each with the other way beside it.

- ``reinforce`` and ``ppo``: depth in a slot of the stage, or in one token with the kernel and the width of each block
  (``joint_tokens.py``).
- ``optuna:tpe``: slots with an order as integers, or all slots as categories.

The problem is that of ``strategies.py``; nothing is measured or trained, and all figures but the
times come out again. Paired over the seeds, with 95 % intervals by Student's t. Writes
``benchmarks/results/slot_encodings.json`` after each search.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from joint_tokens import JointEvaluator, JointTokens
from paired import paired_difference
from strategies import with_repair
from strategies_problem import Problem
from strategies_summary import COURSE, MEASURES, Row
from typing_extensions import override

from provenance import RESULTS, print_goals, provenance, save
from search.constraints.feasible_sampler import feasible_sampler
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import Slot

RESULT = RESULTS / "slot_encodings.json"
JOINT, SEPARATE = "joint token", "depth in a slot of the stage"
CATEGORIES, INTEGERS = "categories", "integers where slots have an order"
OTHER = {"reinforce": (JOINT, SEPARATE), "ppo": (JOINT, SEPARATE), "optuna:tpe": (CATEGORIES, INTEGERS)}
"""By strategy: the other way, and what the library does."""


class Unordered(PortraitSpace):
    """No slot has an order."""

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return tuple(replace(slot, ordered=False) for slot in super().slots)


def seen_as(problem: Problem, how: str) -> Problem:
    """The problem, encoded in this way."""
    if how == CATEGORIES:
        return replace(problem, space=Unordered(sizes=[(128, 128)]))
    if how == JOINT:
        space = JointTokens(problem.space)
        return replace(problem, space=space, evaluator=JointEvaluator(space, problem.evaluator))
    return problem


def searches(problem: Problem, seeds: int, folder: Path) -> Iterator[tuple[str, str, Row]]:
    """Strategy, encoding and row of each search."""
    for seed in range(seeds):
        for strategy, ways in OTHER.items():
            for how in ways:
                within = folder / f"{strategy}-{how}-{seed}".replace(" ", "-").replace(":", "-")
                within.mkdir()
                yield strategy, how, with_repair(seen_as(problem, how), strategy, seed, within)


def summarised(rows: dict[str, dict[str, list[Row]]]) -> dict[str, Any]:
    """Means, and what the library's way gains over the other one."""
    found, goals = {}, []
    for strategy, (other, ours) in OTHER.items():
        if len(rows.get(strategy, {}).get(ours, ())) < 2:
            continue
        pairs = list(zip(rows[strategy][ours], rows[strategy][other], strict=False))
        gains = {
            key: paired_difference([one[key] for one, _ in pairs], [two[key] for _, two in pairs]) for key in MEASURES
        }
        means = {
            how: {key: round(fmean(row[key] for row in rows[strategy][how]), 4) for key in rows[strategy][how][0]
                  if key != COURSE}
            for how in (ours, other)
        }  # fmt: skip
        found[strategy] = {"means": means, "gain_of_ours": gains}
        for key, gain in gains.items():
            lost = gain["interval"][1] < 0
            goals.append(
                {"what": f"{strategy}: {key} of {other} less that of {ours}, beyond chance", "goal": "no",
                 "value": -gain["difference"], "met": not lost}
            )  # fmt: skip
    return {"summary": found, "goals": goals}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows: dict[str, dict[str, list[Row]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem.make(max_ms=0.3, max_parameters=400_000, trials=options.trials, folder=Path(folder))
        problem.evaluator.prepare(feasible_sampler(problem.space, problem.budgets))
        for strategy, how, row in searches(problem, options.seeds, Path(folder)):
            rows.setdefault(strategy, {}).setdefault(how, []).append(row)
            sys.stderr.write(f"{strategy}, {how}: {json.dumps({key: row[key] for key in row if key != COURSE})}\n")
            settings = {"trials": options.trials, "seeds": options.seeds}
            document = {"benchmark": "slot_encodings", "settings": settings, **summarised(rows), "rows": rows}
            save(options.output, document | provenance())
    print_goals(document["goals"])


if __name__ == "__main__":
    main()
