"""A few tampered bundles of ``fuzz.py``, in a process of its own: the runtime must not be in the one that splits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.export.bundle.test_single_edits import own_certificate
from tests.export.conftest import write_small_bundle
from tests.export.small_network import export_small, small_network

CASES = 42


def test_tampered_bundles_are_refused(tmp_path: Path) -> None:
    model = export_small(small_network(), tmp_path / "measured.onnx")
    formats = ("onnx", "onnx-dynamic", "onnx-uint8")
    write_small_bundle(tmp_path, formats=formats, certificates=[own_certificate(model)])
    command = [sys.executable, "-m", "tests.export.bundle.fuzz", "--cases", str(CASES)]
    command += ["--bundle", str(tmp_path / "bundle")]
    root = Path(__file__).parents[3]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads(run.stdout)
    assert document["cases"] == CASES
    assert document["faults"] == []
    assert document["verdicts"]["refused"] > CASES / 2
