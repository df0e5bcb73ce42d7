"""How long a search takes to end where its budgets leave next to nothing of the space ``portrait``.

The budgets are set to what ``feasibility`` finds at the edge of the space: the fewest parameters, the lowest bound,
both values of the safest net, and just below each. Nothing is measured; the predictor is fitted on the device
``simulated``, the evaluator is ``pretrained``. Writes ``benchmarks/results/tight_budgets.json``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import latseg
from latency.operators.operator import OperatorGraph
from provenance import RESULTS, provenance, write_result
from search.constraints.budgets import Budgets, LatencyBound, LatencyBudget, ParameterBudget
from search.constraints.feasibility import Feasibility, feasibility
from search.constraints.infeasible import InfeasibleError
from search.evaluators.registry import make_evaluator
from search.loop import run_search
from search.options import DataOptions
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import make_strategy
from search.tasks.task import TaskOptions
from search.trials import TrialStore

RESULT = RESULTS / "tight_budgets.json"
DEVICE = "simulated:noise=0.02"
SPACE = PortraitSpace()
MAXIMUM_S = 60
LOOSE = 10**9


@dataclass
class Counted:
    """The predictor, and how many nets it has predicted."""

    inner: LatencyBound
    nets: int = 0

    def predict(self, graphs: Sequence[OperatorGraph]) -> Sequence[Any]:
        """As ``inner`` predicts them."""
        self.nets += len(graphs)
        return self.inner.predict(graphs)


def cases(edge: Feasibility) -> Iterator[tuple[str, int, float]]:
    """Name, parameters and milliseconds."""
    closest, fastest = edge.closest, edge.smallest.latency_ms[DEVICE]
    yield "fewest parameters", edge.smallest.parameters, LOOSE
    yield "lowest bound", LOOSE, 1.0001 * fastest
    yield "both of the safest net", closest.parameters, 1.0001 * closest.upper_ms[DEVICE]
    yield "fewest parameters and lowest bound", edge.smallest.parameters, 1.0001 * fastest
    yield "one parameter too few", edge.smallest.parameters - 1, LOOSE
    yield "bound too low", LOOSE, 0.99 * fastest


def searched(parameters: int, ms: float, predictor: LatencyBound, trials: int) -> dict[str, Any]:
    """Seconds, predicted nets, and how the search ended."""
    counted = Counted(predictor)
    budgets = Budgets(ParameterBudget(parameters), (LatencyBudget(DEVICE, ms, counted),))
    task = SPACE.make_task(TaskOptions(DataOptions(source="synthetic:8")))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, TrialStore(Path(folder) / "trials.sqlite") as store:
        evaluator = make_evaluator("pretrained", SPACE, task, folder=Path(folder))
        strategy = make_strategy("evolution", SPACE, budgets)
        try:
            found = run_search(SPACE, budgets, evaluator, strategy, store, SearchSettings(trials=trials))
            ended = {"trials": len(found.trials), "message": found.message}
        except InfeasibleError as error:
            ended = {"trials": 0, "message": str(error)}
    return {"seconds": round(time.monotonic() - began, 2), "predicted_nets": counted.nets, **ended}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=40, help="nets that the predictor is fitted on")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = latseg.Workspace(folder)
        device = workspace.device(DEVICE)
        device.profile(models=options.models)
        device.fit()
        predictor = workspace.folder.predictor(device.device, workspace.warn)
    loose = Budgets(ParameterBudget(1), (LatencyBudget(DEVICE, 1e-6, predictor),))
    edge = feasibility(SPACE, loose, samples=500)
    rows = [
        {"case": name, "parameters": parameters, "ms": ms, **searched(parameters, ms, predictor, options.trials)}
        for name, parameters, ms in cases(edge)
    ]
    slowest = max(row["seconds"] for row in rows)
    goal = {"what": "slowest search, s", "goal": f"<= {MAXIMUM_S}", "value": slowest, "met": slowest <= MAXIMUM_S}
    document = {"benchmark": "tight_budgets", "nets_of_the_space": SPACE.size(), "rows": rows}
    write_result(options.output, document | {"goals": [goal]} | provenance())


if __name__ == "__main__":
    main()
