"""Mutated files through the commands: every one is answered, or refused in one line, in 30 s and 2 GiB.

``python benchmarks/fuzz.py`` does all, ``python benchmarks/fuzz.py --bundles 2000`` one target. Each case is run in a
forked process, which is replaced after a fault. Writes ``benchmarks/results/fuzz.json`` every few seconds; targets of
an earlier run with the same seed stay in it. A fault is listed with its number, which together with the seed makes it
again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))  # bundles are tampered with as in tests/

from fuzzing.bundles import BundleTarget
from fuzzing.limited_process import BYTES, SECONDS, run_cases
from fuzzing.models import GraphTarget, MeasureTarget, PredictTarget
from fuzzing.tally import Tally
from fuzzing.target import Target
from fuzzing.workspaces import WorkspaceTarget

from provenance import RESULTS, commit, print_goals, provenance, save

RESULT = RESULTS / "fuzz.json"
CASES = {"graph": 10_000, "predict": 10_000, "measure": 500, "bundle": 2000, "workspace": 2000}
"""By target, where no number is given."""
_OPTIONS = {
    "graph": "--graphs",
    "predict": "--predicted",
    "measure": "--measured",
    "bundle": "--bundles",
    "workspace": "--workspaces",
}
_REPORT_SECONDS = 10.0


def fuzz(target: Target, numbers: Sequence[int]) -> Iterator[Tally]:
    """The same tally every few seconds, and at the end."""
    tally = Tally()
    reported = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="latseg-fuzz-") as name:
        folder = Path(name).resolve()
        target.prepare(folder)
        for outcome in run_cases(target, numbers, folder):
            tally.add(outcome)
            if not outcome.good:
                sys.stderr.write(f"{target.name} {outcome.number}: {outcome.outcome}: {outcome.what}\n{outcome.line}\n")
            if time.monotonic() > reported + _REPORT_SECONDS:
                reported = time.monotonic()
                sys.stderr.write(f"{target.name}: {tally.cases} of {len(numbers)} cases, {len(tally.faults)} faults\n")
                yield tally
    yield tally


def main() -> None:
    """Entry point."""
    options = _options()
    document = {
        "seed": options.seed,
        "limits": {"seconds": SECONDS, "bytes": BYTES},
        "targets": _earlier(options.result, options.seed),
    }
    for target in _targets(options):
        for found in _found(target, options, document["targets"].get(target.name, {})):
            document["targets"][target.name] = found
            save(options.result, {**document, "goals": _goals(document["targets"]), "provenance": provenance()})
    print_goals(_goals(document["targets"]))


def _found(target: Target, options: argparse.Namespace, earlier: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is written about the target, every few seconds."""
    code = commit()
    if options.again:
        if earlier.get("faults"):
            yield _again(target, earlier, code)
        return
    cases = getattr(options, _dest(target.name))
    if cases:
        for tally in fuzz(target, range(options.first, options.first + cases)):
            yield {"commit": code, "first": options.first, **tally.to_json()}


def _again(target: Target, earlier: dict[str, Any], code: str) -> dict[str, Any]:
    """The faults run again: what is none now goes to ``mended``."""
    faults = {fault["number"]: fault for fault in earlier["faults"]}
    *_, tally = fuzz(target, sorted(faults))
    left = {fault["number"] for fault in tally.faults}
    mended = [fault | {"mended_at": code} for number, fault in faults.items() if number not in left]
    return {**earlier, "faults": tally.faults, "mended": [*earlier.get("mended", []), *mended]}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, option in _OPTIONS.items():
        text = f"default: {CASES[name]}, or 0 where another is given"
        parser.add_argument(option, type=int, dest=_dest(name), metavar="CASES", help=text)
    parser.add_argument("--bundle", type=Path, help="one that verifies, with every file of ONNX; default: new")
    parser.add_argument(
        "--workspace", type=Path, help="one with a run, its trained winner and its bundle; default: new"
    )
    parser.add_argument("--quick", action="store_true", help="no fit, export and report of damaged workspaces")
    parser.add_argument("--again", action="store_true", help="only the faults of the earlier run, after a change")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--nets", type=int, default=24, help="nets of the campaign from which predict's is fitted")
    parser.add_argument("--steps", type=int, help="training steps of the predictors; default: those of fit")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    chosen = any(getattr(options, _dest(name)) is not None for name in CASES)
    for name, cases in CASES.items():
        if getattr(options, _dest(name)) is None:
            setattr(options, _dest(name), 0 if chosen else cases)
    return options


def _dest(target: str) -> str:
    return f"{target}_cases"


def _targets(options: argparse.Namespace) -> tuple[Target, ...]:
    seed, steps = options.seed, options.steps
    return (
        GraphTarget(seed),
        PredictTarget(seed, nets=options.nets, steps=steps),
        MeasureTarget(seed),
        BundleTarget(seed, bundle=options.bundle, steps=steps),
        WorkspaceTarget(seed, workspace=options.workspace, steps=steps, quick=options.quick),
    )


def _earlier(result: Path, seed: int) -> dict[str, Any]:
    """Targets of an earlier run with the same seed."""
    if not result.exists():
        return {}
    document = json.loads(result.read_text())
    return dict(document["targets"]) if document["seed"] == seed else {}


def _goals(targets: dict[str, Any]) -> dict[str, Any]:
    faults = sum(len(one["faults"]) + len(one.get("mended", ())) for one in targets.values())
    goals = {"faults": {"value": faults, "goal": 0, "met": faults == 0}}
    for name, wanted in CASES.items():
        cases = targets.get(name, {"cases": 0})["cases"]
        goals[f"cases of {name}"] = {"value": cases, "goal": wanted, "met": cases >= wanted}
    return goals


if __name__ == "__main__":
    main()
