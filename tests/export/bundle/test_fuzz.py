"""A few tampered bundles of the fuzzer, in a process of its own: the runtime must not be in the one that splits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.export.bundle.test_single_edits import own_certificate
from tests.export.conftest import write_small_bundle
from tests.export.small_network import export_small, small_network

FUZZ = Path(__file__).parents[3] / "benchmarks" / "fuzz.py"
CASES = 42


def test_tampered_bundles_are_refused(tmp_path: Path) -> None:
    model = export_small(small_network(), tmp_path / "measured.onnx")
    formats = ("onnx", "onnx-dynamic", "onnx-uint8")
    architecture = {"space": "of nobody", "choices": {"stage": 1}}
    write_small_bundle(tmp_path, formats=formats, architecture=architecture, certificates=[own_certificate(model)])
    result = tmp_path / "fuzz.json"
    words = ["--bundles", str(CASES), "--bundle", str(tmp_path / "bundle"), "--result", str(result)]
    ran = subprocess.run([sys.executable, str(FUZZ), *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(result.read_text())["targets"]["bundle"]
    assert found["faults"] == []
    assert found["cases"] == CASES
    assert found["outcomes"]["refused"] > CASES / 2
