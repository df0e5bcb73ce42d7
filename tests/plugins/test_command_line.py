"""A package that brings one plug-in of each kind is installed and used through the command line only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SIZE = ("--space", "pictogram:side=12")
SEARCH = (
    *("search", "--device", "ruler", "--max-latency", "0.15ms", "--max-params", "4K", *SIZE),
    *("--data", "tiles:36", "--strategy", "hillclimb:neighbours=2", "--trials", "6", "--near-budget", "2"),
    *("--batch-size", "4", "--winner-epochs", "3", "--training-threads", "1"),
)

Latseg = Callable[..., str]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package."""
    folder = tmp_path_factory.mktemp("plugins")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(Path(__file__).parent / "package", source, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "__init__.py").unlink()
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target", target)
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def latseg(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Latseg]:
    """Runs a command line in a process that sees the package; its standard output."""
    workspace = tmp_path_factory.mktemp("workspace")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (installed, ROOT))), "COLUMNS": "200"}
    command = [sys.executable, "-m", "tests.plugins.command_lines"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as server:
        questions, answers = server.stdin, server.stdout
        assert questions is not None
        assert answers is not None

        def run(*words: str) -> str:
            print(json.dumps(["--workspace", str(workspace), *words]), file=questions, flush=True)
            answer = answers.readline()
            assert answer, "the process has ended"
            code, out, err = json.loads(answer)
            assert code == 0, out + err
            return str(out)

        yield run


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("profile", ("ruler", "pictogram")),
        ("search", ("ruler", "pictogram", "hillclimb", "tiles")),
        ("export", ("deflated",)),
    ],
)
def test_help_names_the_plugins(latseg: Latseg, command: str, names: tuple[str, ...]) -> None:
    text = latseg(command, "--help")
    assert [name for name in names if name not in text] == []


def test_the_device_is_listed(latseg: Latseg) -> None:
    assert "ruler" in latseg("devices", "--json")


def test_from_profile_to_a_verified_bundle(latseg: Latseg) -> None:
    def document(*words: str) -> Any:
        return json.loads(latseg(*words, "--json"))

    campaign = document("profile", "--device", "ruler", *SIZE, "--models", "24")
    assert (campaign["device"], campaign["models"], campaign["failed"], campaign["left"]) == ("ruler", 24, 0, 0)

    assert document("fit", "--device", "ruler")["device"] == "ruler"

    found = document(*SEARCH)
    assert found["trials"] == 6
    (winner,) = found["winners"]
    assert winner["measured_ms"]["ruler"] <= 0.15

    trained = document("train", found["run"], "--winner", winner["id"])
    assert trained["epochs"] == 3
    assert trained["data"] == "tiles:36"
    assert set(trained["quality"]) == {"accuracy"}

    exported = document("export", found["run"], "--winner", winner["id"], "--format", "deflated")
    assert exported["certified"]
    (file,) = [each for each in exported["files"] if each["format"] == "deflated"]
    assert file["parity_max_abs"] < 1e-4

    verified = document("verify", exported["bundle"])
    assert verified["ok"]
    assert any("model.deflated" in check["name"] for check in verified["checks"])
    manifest = json.loads((Path(exported["bundle"]) / "manifest.json").read_text())
    assert manifest["task"]["task"] == "picture classification"
    assert [each["value"] for each in manifest["quality"]] == [trained["quality"]["accuracy"]]

    latseg("report", found["run"])
