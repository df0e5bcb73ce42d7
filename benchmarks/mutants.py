"""Mutation scores: the share of small changes to a file that the tests of that file notice.

mutmut changes one operator, number, word or call at a time in a copy of the source tree and runs the tests that reach
the change. Texts of errors and log messages are left as they are. A change that makes the tests hang counts as noticed.

Usage: python benchmarks/mutants.py [FILE ...]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from provenance import RESULTS, provenance

ROOT = Path(__file__).parents[1]
RESULT = RESULTS / "mutants.json"
FILES = {
    "devices/statistics.py": ("tests/devices/test_statistics.py",),
    "devices/worker/timing.py": ("tests/devices/worker/test_timing.py",),
    "export/bundle/certificate.py": ("tests/export/bundle/test_certificate.py",),
    "foundation/registry.py": ("tests/foundation/test_registry.py",),
    "latency/calibration.py": ("tests/latency/test_calibration.py",),
    "latency/conformal.py": ("tests/latency/test_calibration.py", "tests/latency/test_coverage.py"),
    "search/constraints/budgets.py": (
        "tests/search/constraints/test_budgets.py",
        "tests/search/constraints/test_feasibility.py",
        "tests/search/strategies/test_strategies.py",
    ),
    "search/pareto.py": ("tests/search/test_pareto.py",),
    "search/winners/certification.py": ("tests/search/winners/test_certification.py", "tests/search/test_loop.py"),
    "search/winners/selection.py": ("tests/search/winners/test_selection.py",),
    "segmentation/losses.py": ("tests/segmentation/test_losses.py",),
    "segmentation/metrics.py": ("tests/segmentation/test_metrics.py",),
}
"""Source files with the tests that belong to them."""
_CONFIGURATION = """
[tool.mutmut]
source_paths = {packages}
only_mutate = {files}
also_copy = ["tests", "benchmarks", "pyproject.toml"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["--timeout=60"]
process_isolation = "forkserver"
do_not_mutate_patterns = ['\\b(raise|seen|expected|remedy)\\b', '_logger\\.', '\\bassert\\b', '\\bcast\\(']
"""


def score(file: str, tree: Path, packages: list[str]) -> dict[str, Any]:
    """Runs the tests on every mutant of one file in ``tree``, a copy of the source tree."""
    shutil.rmtree(tree / "mutants", ignore_errors=True)
    (tree / "mutants").mkdir()  # a folder of PYTHONPATH that is made later is not seen
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    settings = _CONFIGURATION.format(
        packages=json.dumps(packages), files=json.dumps([file]), tests=json.dumps(FILES[file])
    )
    (tree / "pyproject.toml").write_text(project + settings, encoding="utf-8")
    start = time.perf_counter()
    _mutmut(tree, "run", "--max-children", str(os.cpu_count() or 1))
    seconds = time.perf_counter() - start
    _mutmut(tree, "export-cicd-stats")
    counts = json.loads((tree / "mutants" / "mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    noticed = counts["killed"] + counts["timeout"]
    survivors = [line.split(":")[0].strip() for line in _mutmut(tree, "results").splitlines() if line.strip()]
    return {
        "tests": list(FILES[file]),
        "mutants": counts["total"],
        "noticed": noticed,
        "score": round(noticed / counts["total"], 3),
        "seconds": round(seconds),
        "date": datetime.now(UTC).date().isoformat(),
        "survivors": [_change(_mutmut(tree, "show", name)) for name in survivors],
    }


def _mutmut(tree: Path, *words: str) -> str:
    # Only the copy may be imported, not the source tree itself.
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(ROOT))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "mutants"), *others])}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"mutmut {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def _change(diff: str) -> list[str]:
    """The lines of the change, without the head of the diff."""
    lines = [line for line in diff.splitlines() if line.startswith(("-", "+"))]
    return [" ".join((line[0], line[1:].strip())) for line in lines if not line.startswith(("---", "+++"))]


def main() -> None:
    """Scores the files that are named, or all; scores of the others stay in the result."""
    document = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {"files": {}}
    chosen = sys.argv[1:] or list(FILES)
    if unknown := set(chosen) - set(FILES):
        sys.exit(f"no tests are known for {', '.join(sorted(unknown))}; see FILES in {Path(__file__).name}")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
        for name in listed.stdout.split():
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, tree / name)
        packages = sorted({path.parent.name for path in tree.glob("*/__init__.py")} - {"tests"})
        for file in chosen:
            found = score(file, tree, packages)
            print(f"{file}: {found['noticed']} of {found['mutants']} noticed, {found['seconds']} s", flush=True)
            document["files"][file] = found
            about = provenance()
            about["versions"]["mutmut"] = metadata.version("mutmut")
            document = {
                **about,
                "files": {name: document["files"][name] for name in FILES if name in document["files"]},
            }
            RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
