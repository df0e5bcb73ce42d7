"""One search for several budgets of the real device: is the best network within each budget certified, and what is it?

``latseg search --budgets`` prepares one supernet and searches within each budget; the best network of each is trained
briefly, exported and certified, and measured again by ``latseg verify`` when all of them are. Training is short: the
benchmark is about budgets; the quality is the supernet's estimate. Writes ``benchmarks/results/curve.json`` and draws
``docs/pictures/curve.svg``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guarantee import latseg, trained_and_exported

from devices.model_file import sha256_of
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.analysis.pictures.style import line_style, new_figure, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULT = RESULTS / "curve.json"
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "curve.svg"
DEVICE = "cpu"
SUPERNET = "supernet.safetensors"
WORDS = (
    *("--size", "128x128", "--max-params", "0.4M", "--evaluator", "supernet", "--data", "synthetic:240"),
    *("--data-size", "128x128", "--teacher-epochs", "0", "--supernet-steps", "100", "--evaluation-images", "32"),
    *("--winner-epochs", "1", "--scene-steps", "0"),
)


def certified(workspace: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The winner of one budget with its bundle."""
    budget_ms = row["budget_ms"]
    if not row["winners"]:
        return {"budget_ms": budget_ms, "certified": False}
    winner = row["winners"][0]
    _, exported = trained_and_exported(workspace, winner["run"], winner["id"])
    return {
        "budget_ms": budget_ms,
        **{name: winner[name] for name in ("id", "run", "quality", "parameters")},
        "upper_ms": winner["upper_ms"][DEVICE],
        "search_measured_ms": winner["measured_ms"][DEVICE],
        **exported,
    }


def verified(workspace: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The row with the result of ``verify``."""
    if not row["certified"]:
        return row
    code, _ = latseg(workspace, "verify", row.pop("bundle"))
    return row | {"verify_exit": code}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """The best quality over the budget, and beside each point how much of its budget the network uses."""
    figure, axes = new_figure(1, 1, height=3.2)
    panel = axes[0]
    budgets = [row["budget_ms"] for row in rows]
    quality = [100 * row["quality"] for row in rows]
    panel.step(budgets, quality, where="post", marker="|", label="best within the budget", **line_style(0))
    measured = [row["certified_ms"] for row in rows]
    style = line_style(1) | {"linestyle": "none", "marker": "o"}
    panel.plot(measured, quality, label="its certified latency", **style)
    panel.set_xscale("log")
    panel.minorticks_off()
    panel.set_xticks(budgets, [f"{ms:g}" for ms in budgets])
    panel.set_xlabel("budget and latency, ms")
    panel.set_ylabel("quality by the supernet, %")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def goals(rows: list[dict[str, Any]], supernets: int) -> list[dict[str, Any]]:
    held = sum(row.get("verify_exit") == 0 for row in rows)
    qualities = [row["quality"] for row in rows if "quality" in row]
    return [
        {"what": "budgets whose best network is certified and verified", "goal": str(len(rows)), "value": held,
         "met": held == len(rows)},
        {"what": "supernets that were trained", "goal": "1", "value": supernets, "met": supernets == 1},
        {"what": "quality never falls as the budget grows", "goal": "true", "value": qualities == sorted(qualities),
         "met": qualities == sorted(qualities)},
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, help="with a campaign and a predictor of the device")
    parser.add_argument("--budgets", default="0.5ms,1ms,2ms,4ms")
    parser.add_argument("--trials", type=int, default=100, help="for each budget")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--draw", action="store_true", help="only draw the result again")
    options = parser.parse_args()
    if not options.draw:
        if options.workspace is None:
            parser.error("--workspace is missing")
        run(options)
    rows = json.loads(options.output.read_text())["rows"]
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_bytes(render(lambda: draw(rows), "svg"))


def run(options: argparse.Namespace) -> None:
    """Searches and writes the result."""
    started = time.monotonic()
    words = ("--device", DEVICE, "--budgets", options.budgets, "--trials", str(options.trials), *WORDS)
    code, found = latseg(options.workspace, "search", *words)
    searched = time.monotonic() - started
    rows = [certified(options.workspace, row) for row in found["table"]]
    rows = [verified(options.workspace, row) for row in rows]
    runs = WorkspaceFolder(options.workspace).runs()
    supernets = {sha256_of(runs / each["run"] / SUPERNET) for each in found["runs"]}
    document = {
        "benchmark": "curve",
        "search_exit": code,
        "runs": found["runs"],
        "rows": rows,
        "seconds": {"search": round(searched, 1), "all": round(time.monotonic() - started, 1)},
        "goals": goals(rows, len(supernets)),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
