"""Ten searches on the real device with different budgets and seeds: does a certified winner ever exceed its budget?

Each winner is trained briefly, exported, certified, and later measured again by ``latseg verify``. Training is as short
as possible: the test is about latency, not about quality. A net far below its budget is no test, so the certified net
that is closest to the budget is used.

Every candidate winner that a search measures also tests the bound by which it was accepted: the share of measurements
above the bound is the rate of violations among searched nets. Writes ``benchmarks/results/guarantee.json``.

``--device simulated`` certifies nothing and ends after the searches: it shows the rate of violations alone
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

from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.run_folder import RunFolder
from search.trials import TrialStore

SIZE = "128x128"
ALPHA = 0.1
"""The default of ``latseg fit``."""
SLACK_PERCENT = 5
EFFORT = [
    "--trials", "96", "--winners", "12", "--teacher-epochs", "0", "--supernet-steps", "30", "--winner-epochs", "1",
    "--scene-steps", "0",
]  # fmt: skip
DATA = ["--data", "synthetic:24", "--data-size", "64x64", "--evaluation-images", "8", "--batch-size", "4"]


def latseg(workspace: Path, *words: str) -> tuple[int, Any]:
    """Exit code and JSON document of one command."""
    command = [sys.executable, "-m", "latseg", "--workspace", str(workspace), "--json", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {"error": done.stderr}


def finalists(workspace: Path, run: str, device: str) -> list[dict[str, float]]:
    """The bound by which each measured candidate winner was accepted, and its measurement."""
    with TrialStore(RunFolder(WorkspaceFolder(workspace).runs() / run).trials) as store:
        trials = [trial for trial in store.trials() if device in trial.measured_ms]
    return [
        {
            name: round(values[device], 4)
            for name, values in (
                ("predicted_ms", trial.predicted_ms),
                ("upper_ms", trial.upper_ms),
                ("measured_ms", trial.measured_ms),
            )
        }
        for trial in trials
    ]


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


def closest_percent(rows: list[dict[str, Any]]) -> list[float]:
    """How far below its budget the slowest measured candidate of each search is, in percent of the budget."""
    found = []
    for row in rows:
        kept = [each["measured_ms"] for each in row.get("finalists", ()) if each["measured_ms"] <= row["budget_ms"]]
        found += [100 * (1 - max(kept) / row["budget_ms"])] if kept else []
    return found


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
    latseg(workspace, "train", found["run"], "--winner", winner["id"])
    code, exported = latseg(workspace, "export", found["run"], "--winner", winner["id"], "--format", "onnx")
    return row | {
        "winner": winner["id"],
        "certified_in_search": len(winners),
        "search_measured_ms": winner["measured_ms"][device],
        "upper_ms": winner["upper_ms"][device],
        "rejected_by_measurement": found["rejected"].get(f"measured:{device}", 0),
        "export_exit": code,
        "certified": bool(exported.get("certified")),
        "certified_ms": exported["files"][0]["measured_ms"],
        "bundle": exported["bundle"],
    }


def verified(workspace: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The row with the result of ``verify``."""
    if not row["certified"]:
        return row
    code, document = latseg(workspace, "verify", row.pop("bundle"))
    details = {check["name"]: check["detail"] for check in document["checks"]}
    return row | {"verify_exit": code, "verify_budget": [text for name, text in details.items() if "budget" in name]}


def results_file(device: str) -> Path:
    return RESULTS / ("guarantee.json" if device == "cpu" else f"guarantee_{device}.json")


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


def goal_of_slack(slack: list[float]) -> dict[str, Any]:
    middle = median(slack or [100.0])
    what = "median over searches: slack of the measured candidate closest to its budget, %"
    return {"what": what, "goal": f"<= {SLACK_PERCENT}", "value": middle, "met": middle <= SLACK_PERCENT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="with a campaign and a predictor of the device")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 1.8])
    parser.add_argument("--strategies", nargs="+", default=["evolution"])
    parser.add_argument("--evaluator", default="supernet")
    parser.add_argument("--calibration-nets", type=int, default=10, help="as of search")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    started, rows = time.monotonic(), []
    for seed, (budget_ms, strategy) in enumerate(zip(options.budgets, cycle(options.strategies), strict=False)):
        words = ("--strategy", strategy, "--evaluator", options.evaluator)
        words += ("--calibration-nets", str(options.calibration_nets))
        rows.append(one_search(options.workspace, budget_ms, seed, options.device, words))
        print(json.dumps(rows[-1]), file=sys.stderr)
    rows = [verified(options.workspace, row) for row in rows]
    certified = [row for row in rows if row["certified"]]
    broken = sum(row["verify_exit"] != 0 for row in certified)
    searched = violations(rows)
    used = [row["certified_ms"] / row["budget_ms"] for row in certified]
    slack = closest_percent(rows)
    document = {
        "benchmark": "guarantee",
        "searches": len(rows),
        "certified": len(certified),
        "broken_promises": broken,
        "certified_over_budget": {"mean": sum(used) / max(1, len(used)), "greatest": max(used, default=0.0)},
        "slack_of_closest_percent": {"median": median(slack or [100.0]), "each": slack},
        "searched_nets": searched,
        "rows": rows,
        "seconds": round(time.monotonic() - started, 1),
        "goals": goals_of_certification(rows, broken) * (options.device != "simulated")
        + [goal_of_bound(searched), goal_of_slack(slack)],
        "budgets_ms": options.budgets,
        "calibration_nets": options.calibration_nets,
    }
    write_result(options.output or results_file(options.device), document | provenance())


if __name__ == "__main__":
    main()
