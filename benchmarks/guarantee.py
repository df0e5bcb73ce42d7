"""Ten searches on the real device with different budgets and seeds: does a certified winner ever exceed its budget?

Each winner is trained briefly, exported, certified, and later measured again by ``latseg verify``. Training is as short
as possible: the test is about latency, not about quality. A net far below its budget is no test, so the certified net
that is closest to the budget is used.

Every candidate winner that a search measures also tests the bound that it kept when it was measured: the share of
measurements above the bound is the rate of violations among searched nets. Writes
``benchmarks/results/guarantee.json``.

``--device simulated:noise=N`` certifies nothing and ends after the searches: it shows the rate of violations, and how
many of the winners exceed their budget on the same machine without noise, the truth that a real one never tells
(``benchmarks/results/guarantee_simulated.json``). With several ``--strategies`` the searches take them in turn.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import onnx

from devices.backends.simulated.device import SimulatedDevice
from devices.device import Candidate
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from foundation.temporary_folder import TemporaryFolder
from latency.calibration import Calibration
from latency.operators.synthesize import to_model
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.run_config import read_config
from search.run_folder import RunFolder
from search.spaces.registry import open_nets
from search.trial import Trial
from search.trials import TrialStore

SIZE = "128x128"
ALPHA = 0.1
"""The default of ``latseg fit``."""
SLACK_PERCENT = 5
EFFORT = [
    "--winners", "12", "--teacher-epochs", "0", "--supernet-steps", "30", "--winner-epochs", "1",
    "--scene-steps", "0",
]  # fmt: skip
DATA = ["--data", "synthetic:24", "--data-size", "64x64", "--evaluation-images", "8", "--batch-size", "4"]


def latseg(workspace: Path, *words: str) -> tuple[int, Any]:
    """Exit code and JSON document of one command."""
    command = [sys.executable, "-m", "latseg", "--workspace", str(workspace), "--json", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {"error": done.stderr}


def finalists(workspace: Path, run: str, device: str) -> list[dict[str, Any]]:
    """Each measured candidate winner, in this order: its bound then, its measurement, and whether that was refused."""
    with TrialStore(RunFolder(WorkspaceFolder(workspace).runs() / run).trials) as store:
        trials = [trial for trial in store.measured_trials() if device in trial.measured_ms]
    rows, calibration = [], first_calibration(workspace, run, device)
    for trial in trials:
        predicted_ms, measured_ms = trial.predicted_ms[device], trial.measured_ms[device]
        widening_ms = trial.predictions[device].widening_ms if device in trial.predictions else 0.0
        row = {
            "predicted_ms": round(predicted_ms, 4),
            "upper_ms": round(calibration.upper_ms(predicted_ms, widening_ms), 4),
            "measured_ms": round(measured_ms, 4),
            "quality": trial.quality,
            "refused": bool(trial.rejected),
        }
        truth = {"true_ms": round(true_ms(workspace, run, device, trial), 4)} if is_simulated(device) else {}
        rows.append(row | truth)
        calibration = calibration.recalibrated([measured_ms / predicted_ms])
    return rows


def first_calibration(workspace: Path, run: str, device: str) -> Calibration:
    """With the nets near the budget, as the search began."""
    folder = WorkspaceFolder(workspace)
    calibration = folder.predictor(get_device(device), print).calibration
    records = json.loads(RunFolder(folder.runs() / run).near_budget.read_text())
    ratios = [ratio for record in records if record["device"] == device for ratio in record["ratios"]]
    return calibration.with_near_budget(ratios) if ratios else calibration


def true_ms(workspace: Path, run: str, device: str, trial: Trial) -> float:
    """Of a network on the simulated machine without noise or drift, in the workspace's milliseconds."""
    folder = WorkspaceFolder(workspace)
    config = read_config(folder.runs() / run)
    graph = open_nets(config.space, classes=len(config.classes), sizes=config.sizes).lower(trial.architecture)
    nominal = folder.reference_ms(get_device(device))
    assert nominal is not None, "the campaign noted it"
    with TemporaryFolder() as place:
        path = place.path / "net.onnx"
        onnx.save(to_model(graph), path)
        protocol = MeasurementProtocol(profile_runs=0)
        candidates = [Candidate("net", path)]
        (found,) = SimulatedDevice().measure(candidates, nominal_reference_ms=nominal, protocol=protocol)
    assert isinstance(found, Measurement)
    return found.latency_ms


def violations(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of the measured candidates above their bound, and above the budget."""
    measured = [(each, row["budget_ms"]) for row in rows for each in row.get("finalists", ())]
    above = sum(each["measured_ms"] > each["upper_ms"] for each, _ in measured)
    beyond = sum(each["measured_ms"] > budget_ms for each, budget_ms in measured)
    count = max(1, len(measured))
    return {
        "measured_candidates": len(measured),
        "above_bound_percent": 100 * above / count,
        "above_budget_percent": 100 * beyond / count,
        "mean_measured_over_bound": sum(each["measured_ms"] / each["upper_ms"] for each, _ in measured) / count,
    }


def accepted(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The measured candidates of a search that their measurement did not refuse."""
    return [each for each in row.get("finalists", ()) if not each["refused"]]


def slack_percent(rows: list[dict[str, Any]], which: str) -> dict[str, Any]:
    """How far below its budget the accepted candidate of each search with the most of ``which`` is, in percent."""
    chosen = [(max(nets, key=lambda net: net[which]), row["budget_ms"]) for row in rows if (nets := accepted(row))]
    each = [round(100 * (1 - net["measured_ms"] / budget_ms), 2) for net, budget_ms in chosen]
    return {"median": median(each or [100.0]), "each": each}


def truly_above(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Accepted candidates of simulated searches, and how many of them exceed their budget without noise."""
    nets = [(net["true_ms"], row["budget_ms"]) for row in rows for net in accepted(row)]
    return {"accepted": len(nets), "above_budget": sum(ms > budget_ms for ms, budget_ms in nets)}


def one_search(workspace: Path, budget_ms: float, seed: int, device: str, words: Sequence[str]) -> dict[str, Any]:
    """One search to its certified bundle; ``verify`` comes later."""
    limits = ("--device", device, "--max-latency", f"{budget_ms}ms", "--max-params", "0.4M", *words)
    code, found = latseg(workspace, "search", *limits, "--size", SIZE, "--seed", str(seed), *EFFORT, *DATA)
    row: dict[str, Any] = {"words": " ".join(words), "budget_ms": budget_ms, "seed": seed, "search_exit": code}
    if "run" in found:
        row["finalists"] = finalists(workspace, found["run"], device)
    winners = [winner for winner in found.get("winners", []) if winner["certified"]]
    if not winners:
        return row | {"certified": False, "message": found.get("message", found.get("error", ""))}
    winner = max(winners, key=lambda winner: winner["measured_ms"][device])
    code, exported = trained_and_exported(workspace, found["run"], winner["id"])
    return row | {
        "winner": winner["id"],
        "certified_in_search": len(winners),
        "search_measured_ms": winner["measured_ms"][device],
        "upper_ms": winner["upper_ms"][device],
        "rejected_by_measurement": found["rejected"].get(f"measured:{device}", 0),
        "export_exit": code,
        **exported,
    }


def trained_and_exported(workspace: Path, run: str, winner: str) -> tuple[int, dict[str, Any]]:
    """Exit code of the export; whether the network is certified, with how many milliseconds, and its bundle."""
    latseg(workspace, "train", run, "--winner", winner)
    code, exported = latseg(workspace, "export", run, "--winner", winner, "--format", "onnx")
    return code, {
        "certified": bool(exported.get("certified")),
        "certified_ms": exported["files"][0]["measured_ms"],
        "bundle": exported["bundle"],
    }


def verified(workspace: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The row with the result of ``verify``."""
    bundle = row.pop("bundle", None)
    if not row["certified"]:
        return row
    code, document = latseg(workspace, "verify", bundle)
    details = {check["name"]: check["detail"] for check in document["checks"]}
    return row | {"verify_exit": code, "verify_budget": [text for name, text in details.items() if "budget" in name]}


def is_simulated(device: str) -> bool:
    return get_device(device).info().simulated


def results_file(device: str) -> Path:
    return RESULTS / ("guarantee.json" if device == "cpu" else f"guarantee_{device.partition(':')[0]}.json")


def goals_of_certification(rows: list[dict[str, Any]], broken: int) -> list[dict[str, Any]]:
    certified = sum(row["certified"] for row in rows)
    return [
        {"what": "certified winners above budget in verify", "goal": "0", "value": broken, "met": broken == 0},
        {
            "what": "searches that end certified",
            "goal": str(len(rows)),
            "value": certified,
            "met": certified == len(rows),
        },
    ]


def goal_of_bound(searched: dict[str, Any]) -> dict[str, Any]:
    above, most = searched["above_bound_percent"], 100 * ALPHA
    met = searched["measured_candidates"] > 0 and above <= most
    return {
        "what": "violations of the bound among searched nets, %",
        "goal": f"<= {most:g}",
        "value": above,
        "met": met,
    }


def goal_of_truth(found: dict[str, int]) -> dict[str, Any]:
    above = found["above_budget"]
    return {"what": "accepted candidates above budget without noise", "goal": "0", "value": above, "met": above == 0}


def goal_of_slack(which: str, slack: dict[str, Any]) -> dict[str, Any]:
    middle = slack["median"]
    what = f"median over searches: slack of the accepted candidate {which}, %"
    return {"what": what, "goal": f"<= {SLACK_PERCENT}", "value": middle, "met": middle <= SLACK_PERCENT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="with a campaign and a predictor of the device")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6])
    parser.add_argument("--strategies", nargs="+", default=["evolution"])
    parser.add_argument("--evaluator", default="pretrained")
    parser.add_argument("--calibration-nets", type=int, default=10, help="as of search")
    parser.add_argument("--trials", type=int, default=2000, help="of each search")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    started, rows = time.monotonic(), []
    for seed, (budget_ms, strategy) in enumerate(zip(options.budgets, cycle(options.strategies), strict=False)):
        words = ("--strategy", strategy, "--evaluator", options.evaluator)
        words += ("--calibration-nets", str(options.calibration_nets), "--trials", str(options.trials))
        rows.append(one_search(options.workspace, budget_ms, seed, options.device, words))
        print(json.dumps(rows[-1]), file=sys.stderr)
    rows = [verified(options.workspace, row) for row in rows]
    certified = [row for row in rows if row["certified"]]
    broken = sum(row["verify_exit"] != 0 for row in certified)
    searched = violations(rows)
    used = [row["certified_ms"] / row["budget_ms"] for row in certified]
    closest, best = slack_percent(rows, "measured_ms"), slack_percent(rows, "quality")
    simulated = is_simulated(options.device)
    truth = truly_above(rows) if simulated else {}
    document = {
        "benchmark": "guarantee",
        "searches": len(rows),
        "certified": len(certified),
        "broken_promises": broken,
        "certified_over_budget": {"mean": sum(used) / max(1, len(used)), "greatest": max(used, default=0.0)},
        "slack_of_closest_percent": closest,
        "slack_of_best_quality_percent": best,
        **({"without_noise": truth} if simulated else {}),
        "searched_nets": searched,
        "rows": rows,
        "seconds": round(time.monotonic() - started, 1),
        "goals": ([goal_of_truth(truth)] if simulated else goals_of_certification(rows, broken))
        + [goal_of_bound(searched), goal_of_slack("closest to its budget", closest)]
        + [goal_of_slack("of the best quality", best)],
        "budgets_ms": options.budgets,
        "calibration_nets": options.calibration_nets,
    }
    write_result(options.output or results_file(options.device), document | provenance())


if __name__ == "__main__":
    main()
