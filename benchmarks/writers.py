"""Two and four ``profile`` at once in one workspace: nothing is measured twice, and the results are those of one.

Sometimes one of the processes is killed; the others must finish what it had begun. Numbers of the device ``simulated``
depend on the seed only. Writes ``benchmarks/results/writers.json``.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from kill import PROFILE, WHOLE, Place, finish, measured_by, twice
from workspace_results import differences, results_of

from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "writers.json"
CHECKS = ("all_end_well", "nothing_twice", "equal_results")


def unordered(workspace: Path) -> dict[str, Any]:
    """The results, without the order in which the processes stored them."""
    found = results_of(workspace)
    store = found["measurements.sqlite"]
    return found | {"measurements.sqlite": {table: sorted(rows) for table, rows in store.items()}}


def new_place(root: Path) -> Place:
    place = Place(root)
    place.temporary.mkdir(parents=True)
    return place


def together(place: Place, writers: int, kill_after_s: float | None) -> list[str]:
    """Runs them at once, and kills the first one after some seconds; what the others said that did not end well."""
    processes = [place.start(PROFILE) for _ in range(writers)]
    if kill_after_s is not None:
        try:
            processes[0].wait(kill_after_s)
        except subprocess.TimeoutExpired:
            processes[0].send_signal(signal.SIGKILL)
    said = [process.communicate()[1].decode(errors="replace") for process in processes]
    others = zip(processes[kill_after_s is not None :], said[kill_after_s is not None :], strict=True)
    return [text for process, text in others if process.returncode]


def one_round(root: Path, writers: int, kill_after_s: float | None, reference: dict[str, Any]) -> dict[str, str]:
    """From a check that failed to what was seen."""
    place = new_place(root)
    seen: dict[str, object] = {"all_end_well": together(place, writers, kill_after_s)}
    seen["nothing_twice"] = twice(measured_by(place.kept(), {"campaign", "operator"}))
    seen["equal_results"] = differences(unordered(place.workspace), reference)
    return {check: str(what)[:500] for check, what in seen.items() if what}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=10, help="with two and with four writers, with and without a kill"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    random, rows, failures = Random(options.seed), [], []
    with tempfile.TemporaryDirectory() as name:
        alone = new_place(Path(name, WHOLE))
        code, said = finish(alone, PROFILE)
        assert code == 0, said
        reference = unordered(alone.workspace)
        for writers, killed in [(2, False), (4, False), (2, True), (4, True)]:
            passed = dict.fromkeys(CHECKS, 0)
            for turn in range(options.rounds):
                after_s = random.uniform(0, 5) if killed else None
                failed = one_round(Path(name, f"{writers}-{killed}-{turn}"), writers, after_s, reference)
                failures += [{"writers": writers, "killed_after_s": after_s, "failed": failed}] * bool(failed)
                passed = {check: count + (check not in failed) for check, count in passed.items()}
                print(writers, after_s, failed or "good", file=sys.stderr)
            rows.append({"writers": writers, "one_killed": killed, "rounds": options.rounds, "passed": passed})
    value = len(failures)
    goals = [{"what": "rounds with a failed check", "goal": "0", "value": value, "met": value == 0}]
    document = {"benchmark": "writers", "rows": rows, "failures": failures, "goals": goals}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
