"""The steps of the workflow file, executed as they stand but for the waiting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from latseg.testing.nets import mobile_net, saved, small_net

WORKFLOW = Path(__file__).parents[2] / "examples" / "latency_gate.yml"
BASE = "origin/${{ github.base_ref }}"
WAIT = "--wait 60"
"""For a quiet machine, which it is not beside other tests."""


def steps() -> list[str]:
    """Commands of ``latseg``."""
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return [step["run"] for step in job["steps"] if "latseg " in step.get("run", "")]


def git(folder: Path, *words: str) -> None:
    names = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", "-C", str(folder), *names, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A branch ``before`` with a small model."""
    git(tmp_path, "init", "-q", "-b", "before")
    saved(small_net(), tmp_path / "model.onnx")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "small")
    return tmp_path


def exit_codes(folder: Path) -> list[int]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return [
        subprocess.run(["bash", "-e", "-c", step.replace(BASE, "before").replace(WAIT, "")], cwd=folder, check=False,
                       env={**os.environ, "PATH": path}).returncode
        for step in steps()
    ]  # fmt: skip


@pytest.mark.serial  # beside other tests each measurement is taken again and again
def test_a_model_that_is_slower_never_passes(repository: Path) -> None:
    """On a busy machine, nothing is decided."""
    same = exit_codes(repository)
    assert set(same) <= {0, 6}
    saved(mobile_net(), repository / "model.onnx")
    budget, slower = exit_codes(repository)
    assert budget in {0, 6}
    assert slower in {4, 6}


def test_there_are_two_gates() -> None:
    assert len(steps()) == 2
    assert BASE in steps()[1]
    assert WAIT in steps()[0]
