"""How long a search takes to end where its budgets leave next to nothing of the space ``portrait``.

The budgets are set to what ``feasibility`` finds at the edge of the space: the fewest parameters, the lowest bound,
both values of the safest net, and just below each. Nothing is measured; the predictor is fitted on the device
``simulated``, the evaluator is ``pretrained``. Writes ``benchmarks/results/tight_budgets.json``.

With ``--workspace``, where ``cpu`` was profiled at 128 x 128 and fitted, it runs the command ``latseg search`` on the
device ``cpu`` instead, which measures random nets near the budget and the candidates; seconds are those of the whole
command (``tight_budgets_cpu.json``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
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
MEASURED_RESULT = RESULTS / "tight_budgets_cpu.json"
DEVICE = "simulated:noise=0.02"
SPACE = PortraitSpace()
PROFILED = PortraitSpace(sizes=((128, 128),))
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


def cases(edge: Feasibility, device: str) -> Iterator[tuple[str, int, float]]:
    """Name, parameters and milliseconds."""
    closest, fastest = edge.closest, edge.smallest.latency_ms[device]
    yield "fewest parameters", edge.smallest.parameters, LOOSE
    yield "lowest bound", LOOSE, 1.0001 * fastest
    yield "both of the safest net", closest.parameters, 1.0001 * closest.upper_ms[device]
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


def commanded(workspace: Path, parameters: int, ms: float, trials: int) -> dict[str, Any]:
    """Seconds of ``latseg search`` on the device ``cpu``, and how it ended."""
    limits = ["--max-params", str(parameters), "--max-latency", f"{ms}ms", "--size", "128x128"]
    effort = ["--data", "synthetic:8", "--data-size", "64x64", "--evaluator", "pretrained", "--trials", str(trials)]
    command = [sys.executable, "-m", "latseg", "--workspace", str(workspace), "--json", "--quiet", "search"]
    began = time.monotonic()
    done = subprocess.run([*command, "--device", "cpu", *limits, *effort], capture_output=True, text=True, check=False)
    seconds = round(time.monotonic() - began, 2)
    found = json.loads(done.stdout) if done.stdout else {}
    said = found.get("message", done.stderr.strip())
    return {"seconds": seconds, "exit_code": done.returncode, "trials": found.get("trials", 0), "message": said}


def edge_of(space: PortraitSpace, device: str, predictor: LatencyBound) -> Feasibility:
    """The smallest nets within budgets that none keeps."""
    return feasibility(space, Budgets(ParameterBudget(1), (LatencyBudget(device, 1e-6, predictor),)), samples=500)


def simulated_rows(models: int, trials: int) -> Iterator[dict[str, Any]]:
    """Searches of which nothing is measured."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = latseg.Workspace(folder)
        device = workspace.device(DEVICE)
        device.profile(models=models)
        device.fit()
        predictor = workspace.folder.predictor(device.device, workspace.warn)
    for name, parameters, ms in cases(edge_of(SPACE, DEVICE, predictor), DEVICE):
        yield {"case": name, "parameters": parameters, "ms": ms, **searched(parameters, ms, predictor, trials)}


def measured_rows(folder: Path, trials: int) -> Iterator[dict[str, Any]]:
    """Whole commands on the device ``cpu``."""
    workspace = latseg.Workspace(folder)
    predictor = workspace.folder.predictor(workspace.device("cpu").device, workspace.warn)
    for name, parameters, ms in cases(edge_of(PROFILED, "cpu", predictor), "cpu"):
        yield {"case": name, "parameters": parameters, "ms": ms, **commanded(folder, parameters, ms, trials)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models", type=int, default=40, help="nets that the predictor is fitted on, without --workspace"
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workspace", type=Path, help="where the device cpu was profiled and fitted")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.workspace is None:
        output, rows = options.output or RESULT, list(simulated_rows(options.models, options.trials))
    else:
        output, rows = options.output or MEASURED_RESULT, list(measured_rows(options.workspace, options.trials))
    slowest = max(row["seconds"] for row in rows)
    goal = {"what": "slowest search, s", "goal": f"<= {MAXIMUM_S}", "value": slowest, "met": slowest <= MAXIMUM_S}
    document = {
        "benchmark": "tight_budgets",
        "nets_of_the_space": (PROFILED if options.workspace else SPACE).size(),
        "rows": rows,
    }
    write_result(output, document | {"goals": [goal]} | provenance())


if __name__ == "__main__":
    main()
