"""The fuzzer finds every kind of fault, and finds none in the first mutated models."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def _doings(answers: Any) -> dict[str, Any]:
    """What the target of this test does in each of its cases."""

    def trace() -> Any:
        return answers(1, "KeyError: 'x'", trace="Traceback")

    def escape() -> Any:
        Path("../escaped").write_text("")
        return answers(0)

    def overwrite() -> Any:
        Path("../shared").write_text("changed")
        return answers(0)

    def allocate() -> Any:
        return answers(0, value=float(len(bytearray(b"x") * 2**29 and b"x")))

    def compute() -> Any:
        while True:
            time.process_time()

    return {
        "ok": lambda: answers(0, value=1.0),
        "refused": lambda: answers(2, "model: got nothing; expected something; do it"),
        "internal error": trace,
        "accepted with other numbers": lambda: answers(0, value=2.0),
        "wrote outside its folder": escape,
        "wrote outside its folder: a file that was there": overwrite,
        "too big": allocate,
        "too slow": compute,
        "crash": lambda: ctypes.string_at(0),
    }


def _anonymous_bytes() -> int:
    """Resident memory that a fork starts with; it does not inherit pages of files, such as libraries."""
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_every_kind_of_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fuzzing import limited_process  # type: ignore[import-not-found]
    from fuzzing.special_files import Special  # type: ignore[import-not-found]
    from fuzzing.target import Answer, Case, Target  # type: ignore[import-not-found]

    class Known(Target):  # type: ignore[misc]
        name = "known"

        def prepare(self, folder: Path) -> None:
            (folder / "shared").write_text("content")

        def case(self, number: int) -> Any:
            return Case(list(doings)[number], {"file": b"content", "pipe": Special.FIFO}, expected=1.0)

        def run(self, case: Any) -> Any:
            assert Path("file").read_bytes() == b"content"
            assert Path("pipe").is_fifo()
            return doings[case.what]()

    target = Known()
    doings = _doings(Answer)
    target.prepare(tmp_path)
    monkeypatch.setattr(limited_process, "SECONDS", 2.0)
    monkeypatch.setattr(limited_process, "BYTES", _anonymous_bytes() + 2**28)
    found = {each.what: each.outcome for each in limited_process.run_cases(target, range(len(doings)), tmp_path)}
    assert found == {name: name.partition(":")[0] for name in doings}


def test_mutated_models_are_read_or_refused(tmp_path: Path) -> None:
    result = tmp_path / "fuzz.json"
    earlier = {"cases": 1, "faults": [{"number": 0}]}
    result.write_text(json.dumps({"seed": 0, "targets": {"known": earlier, "graph": earlier}}))
    words = ["--graphs", "200", "--result", str(result)]
    ran = subprocess.run(
        [sys.executable, str(BENCHMARKS / "fuzz.py"), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    document = json.loads(result.read_text())
    assert document["targets"]["known"] == earlier
    assert document["goals"]["faults"]["value"] == 1
    found = document["targets"]["graph"]
    assert found["cases"] == 200
    assert found["faults"] == []
    assert {"ok", "refused"} == set(found["outcomes"])
