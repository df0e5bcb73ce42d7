"""How well the linear surrogate of ``proxyless`` and ``sgas`` follows the predictor, on nets that it did not see.

The expected latency in the loss of the gates is a ridge regression of the logarithm of predicted bounds on choices
(``search/strategies/gates/budget_costs.py``). Here it is fitted to the predictor of a workspace whose device ``cpu``
was profiled at 128 x 128, and to the invented machine of ``strategies.py``. Writes
``benchmarks/results/gate_costs.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from strategies_problem import Problem

import latseg
from provenance import RESULTS, provenance, write_result
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.spaces.portrait.space import PortraitSpace
from search.spaces.space import SearchSpace
from search.strategies.gates.budget_costs import fit_costs

GOAL = 0.9
SEEDS = range(5)


def row_of(name: str, space: SearchSpace, budgets: Budgets) -> dict[str, Any]:
    """R squared by constraint, mean over the seeds, which draw other random nets."""
    costs = [fit_costs(space, budgets, seed=seed) for seed in SEEDS]
    fits = zip(*(each.fit for each in costs), strict=True)
    r_squared = {key: round(fmean(fit), 4) for key, fit in zip(costs[0].names, fits, strict=True)}
    return {"predictor": name, "r_squared": r_squared}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=RESULTS / "gate_costs.json")
    options = parser.parse_args()
    space = PortraitSpace(sizes=((128, 128),))
    workspace = latseg.Workspace(options.workspace)
    predictor = workspace.folder.predictor(workspace.device("cpu").device, workspace.warn)
    budgets = Budgets(ParameterBudget(400_000), (LatencyBudget("cpu", 2.0, predictor),))
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem.make(max_ms=0.3, max_parameters=400_000, trials=1, folder=Path(folder))
        rows = [row_of("cpu, measured", space, budgets), row_of("invented machine", problem.space, problem.budgets)]
    goals = [
        {"what": f"R squared of {key}, {row['predictor']}", "goal": f">= {GOAL}", "value": value, "met": value >= GOAL}
        for row in rows
        for key, value in row["r_squared"].items()
    ]
    write_result(options.output, {"benchmark": "gate_costs", "rows": rows, "goals": goals} | provenance())


if __name__ == "__main__":
    main()
