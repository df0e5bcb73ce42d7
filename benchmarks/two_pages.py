"""Two browsers as two devices of one search: ``latseg serve swift slow``, one Chromium with half a core.

Each page is profiled with 20 nets and fitted; fresh nets are measured and predicted. Then one search has a budget on
both, and its winner is trained for an epoch, exported, certified on both pages, and verified: all of it by the command
line. Needs root: the slow Chromium gets its share of a core by a control group (version 1, ``cpu.cfs_quota_us``).
Writes ``benchmarks/results/two_pages.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np
import onnx

from devices.backends.web.browser import Browser, find_browser
from latency.operators.synthesize import to_model
from latency.scores import Scores
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace

RESULT = RESULTS / "two_pages.json"
PAGES = ("swift", "slow")
NETS, FRESH, SEED = 20, 10, 4000
PERIOD_US, SHARE = 5000, 0.5
"""Of a core, that the slow browser gets in every period."""
GROUP = Path("/sys/fs/cgroup/cpu/latseg-slow-browser")


class Commands:
    """Runs commands in a workspace.

    Args:
        folder: of the workspace and of what ``latseg serve`` keeps.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder)}
        self.words = (sys.executable, "-m", "latseg", "--workspace", str(folder / "workspace"), "--json")

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
        """The document of a command."""
        print(*words, file=sys.stderr)
        done = subprocess.run(
            [*self.words, *words], stdout=subprocess.PIPE, text=True, env=self.environment, check=False
        )
        if done.returncode not in codes:
            raise SystemExit(f"exit code {done.returncode}: {' '.join(words)}\n{done.stdout}")
        return json.loads(done.stdout)

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        """Addresses of the pages."""
        words = [*self.words, "serve", *PAGES, "--port", "0"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=self.environment) as process:
            assert process.stdout is not None
            lines = ""
            while not lines.rstrip().endswith("}") or lines.count("{") != lines.count("}"):
                lines += process.stdout.readline()
            pages = json.loads(lines)["pages"]
            yield {page["device"].partition(":")[2]: page["url"] for page in pages}
            process.terminate()


@contextmanager
def shown(addresses: dict[str, str], folder: Path) -> Iterator[None]:
    """Both pages in browsers of their own."""
    path = find_browser()
    assert path is not None
    GROUP.mkdir(exist_ok=True)
    (GROUP / "cpu.cfs_period_us").write_text(str(PERIOD_US))
    (GROUP / "cpu.cfs_quota_us").write_text(str(round(PERIOD_US * SHARE)))
    throttled = folder / "throttled"
    throttled.write_text(f'#!/bin/sh\necho $$ > {GROUP}/tasks\nexec {path} "$@"\n')
    throttled.chmod(0o755)
    browsers = [Browser(path, addresses["swift"]), Browser(str(throttled), addresses["slow"])]
    try:
        yield
    finally:
        for browser in browsers:
            browser.close()
        GROUP.rmdir()


def fresh_nets(folder: Path) -> list[Path]:
    """Nets of the space that no campaign has."""
    space = PortraitSpace(sizes=((128, 128),))
    paths = []
    for number, net in enumerate(space.sample(FRESH, Random(SEED))):
        paths.append(folder / f"fresh-{number}.onnx")
        onnx.save(to_model(space.lower(net)), paths[-1])
    return paths


def learn(run: Any, page: str, nets: list[Path]) -> dict[str, Any]:
    """Profile, fit, and the scores of the predictor on fresh nets."""
    device = ("--device", f"page:{page}")
    profiled = run("profile", *device, "--size", "128x128", "--models", str(NETS))
    fitted = run("fit", *device)
    predicted = [run("predict", str(path), *device) for path in nets]
    measured = [run("measure", str(path), *device) for path in nets]
    truth = [each["latency_ms"] for each in measured]
    return {
        "hardware": profiled["hardware"],
        "fingerprint": profiled["fingerprint"],
        "models": profiled["models"],
        "profile_seconds": round(profiled["seconds"]),
        "bound": fitted["bound"],
        "measured_ms": truth,
        "predicted_ms": [each["latency_ms"] for each in predicted],
        "coverage_of_bound": float(np.mean([ms <= one["upper_ms"] for ms, one in zip(truth, predicted, strict=True)])),
        **asdict(Scores.of([each["latency_ms"] for each in predicted], truth)),
    }


def search(run: Any, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One search with the median latency of each page as its budget, to a verified bundle."""
    budgets = {page: median(row["measured_ms"]) for page, row in rows.items()}
    words = [
        word for page, ms in budgets.items() for word in ("--device", f"page:{page}", "--max-latency", f"{ms:.3f}ms")
    ]
    data = ("--data", "synthetic:64", "--data-size", "128x128", "--winner-epochs", "1", "--scene-steps", "0")
    found = run("search", *words, "--size", "128x128", *data)
    winner = found["winners"][0]
    run("train", found["run"], "--winner", winner["id"])
    exported = run("export", found["run"], "--winner", winner["id"], "--format", "onnx")
    verified = [run("verify", exported["bundle"], "--device", f"page:{page}", codes=(0, 4, 6)) for page in budgets]
    return {
        "budgets_ms": budgets,
        "trials": found["trials"],
        "rejected": found["rejected"],
        "winner": {key: winner[key] for key in ("parameters", "predicted_ms", "upper_ms", "measured_ms", "certified")},
        "export_certified": exported["certified"],
        "failed_checks": [[check for check in each["checks"] if not check["ok"]] for each in verified],
    }


def goals(rows: dict[str, dict[str, Any]], found: dict[str, Any]) -> list[dict[str, Any]]:
    """That two devices are told apart, predicted, and both kept."""
    ratio = median(rows["slow"]["measured_ms"]) / median(rows["swift"]["measured_ms"])
    kept = found["winner"]["certified"] and found["export_certified"] and not any(found["failed_checks"])
    return [
        {"what": "slow over swift", "goal": ">= 1.5", "value": ratio, "met": ratio >= 1.5},
        *(
            {
                "what": f"{page}: mean error, %",
                "goal": "<= 10",
                "value": row["mape_percent"],
                "met": row["mape_percent"] <= 10,
            }
            for page, row in rows.items()
        ),
        {"what": "certified and verified on both", "goal": "yes", "value": kept, "met": kept},
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        commands = Commands(folder)
        with commands.serving() as addresses, shown(addresses, folder):
            nets = fresh_nets(folder)
            rows = {page: learn(commands.run, page, nets) for page in PAGES}
            found = search(commands.run, rows)
    document = {"benchmark": "two_pages", "share_of_a_core": SHARE, "pages": rows, "search": found}
    write_result(options.output, document | {"goals": goals(rows, found)} | provenance())


if __name__ == "__main__":
    main()
