"""From nothing to a usable predictor: ``latseg profile --models 20`` and ``latseg fit`` in an empty workspace, timed.

Then new random nets are measured in the same workspace and compared with their predictions. The prior is the one of
the package, without the data of this device. Writes
``benchmarks/results/first_minute.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from predictor_device import profile

from devices.registry import get_device
from latency.campaign_items import campaign_items
from latency.scores import Scores
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace

RESULT = RESULTS / "first_minute.json"
NETS = 20
SEED = 4000
"""Of the new nets."""
GOALS = {"profile_seconds": 60.0, "profile_and_fit_seconds": 60.0, "mape_percent": 10.0}
"""One minute for both commands, as the README says; the goal for the mean error is ours."""


def latseg(workspace: Path, *words: str) -> tuple[float, Any]:
    """Seconds and JSON document of one command."""
    started = time.monotonic()
    command = [sys.executable, "-m", "latseg", "--workspace", str(workspace), "--json", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.monotonic() - started, json.loads(done.stdout)


def one_device(name: str, threads: int, fresh: int, seed: int) -> dict[str, Any]:
    """Times of the two commands, and the scores of the predictor on new nets."""
    device = get_device(name, threads=threads)
    words = ("--device", name, "--threads", str(threads), "--seed", str(seed))
    with tempfile.TemporaryDirectory() as folder:
        workspace = WorkspaceFolder(Path(folder))
        profile_seconds, profiled = latseg(workspace.root, "profile", *words, "--models", str(NETS))
        fit_seconds, fitted = latseg(workspace.root, "fit", *words)
        predictor = workspace.predictor(device, warn=print)
        with workspace.store() as store:
            nets = [PortraitSpace().lower(one) for one in PortraitSpace().sample(fresh, Random(SEED))]
            items = [item for item in campaign_items(nets, 0) if item.label not in predictor.learned]
            profile(store, device, items, SEED)
            measured = {sample.label: sample for sample in store.samples(device.info().fingerprint)}
    samples = [measured[item.label] for item in items if item.label in measured]
    predicted = predictor.predict([sample.graph for sample in samples])
    truth = [sample.latency_ms for sample in samples]
    return {
        "device": device.info().to_json(),
        "models": profiled["models"],
        "operators": profiled["operators"],
        "profile_seconds": round(profile_seconds, 1),
        "fit_seconds": round(fit_seconds, 1),
        "profile_and_fit_seconds": round(profile_seconds + fit_seconds, 1),
        "bound": fitted["bound"],
        "fresh_nets": len(samples),
        "figures": asdict(Scores.of([one.latency_ms for one in predicted], truth)),
        "coverage_of_bound": float(np.mean([ms <= one.upper_ms for ms, one in zip(truth, predicted, strict=True)])),
        "slack_of_bound": float(np.mean([one.upper_ms / ms for ms, one in zip(truth, predicted, strict=True)])),
    }


def main() -> None:
    """Runs the devices one after the other, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = []
    for name, threads in (("cpu", 1), ("cpu", 2), ("openvino", 1), ("openvino", 2)):
        rows.append(one_device(name, threads, options.fresh, options.seed))
        print({key: rows[-1][key] for key in ("profile_seconds", "fit_seconds", "figures")}, file=sys.stderr)
    goals = []
    for row in rows:
        for key, most in GOALS.items():
            value = row[key] if key in row else row["figures"][key]
            what = f"{row['device']['name']}, threads {row['device']['threads']}: {key}"
            goals.append({"what": what, "goal": f"<= {most:g}", "value": value, "met": value <= most})
    write_result(options.output, {"benchmark": "first_minute", "rows": rows, "goals": goals} | provenance())


if __name__ == "__main__":
    main()
