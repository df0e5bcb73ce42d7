"""Ctrl-C as a person presses it: a real signal to a real process, then the command line that it offers."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

DEVICE = "simulated:noise=0.02"
SEARCH = (
    *("search", "--device", DEVICE, "--max-latency", "2ms", "--size", "128x128", "--winner-epochs", "8"),
    *("--data", "synthetic:24", "--data-size", "64x64", "--evaluation-images", "2"),
    *("--batch-size", "4", "--scene-steps", "0"),
    *("--trials", "12", "--teacher-epochs", "0", "--supernet-steps", "10", "--calibration-nets", "4"),
    *("--training-threads", "1", "--evaluator", "supernet"),
)


def start(words: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.short_fits", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupted(*words: str, at: str) -> str:
    """Interrupts the command when ``at`` appears in its progress; returns the command line that it offers."""
    with start(words) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if at in line:
                os.kill(process.pid, signal.SIGINT)
                break
        seen += process.stderr.readlines()
        code = process.wait(timeout=60)
    assert code == 130, "".join(seen)
    assert "interrupted: what was done is saved; continue with: " in seen[-1], "".join(seen)
    assert not any("Traceback" in line for line in seen), "".join(seen)
    return seen[-1].split("continue with: ")[1].strip()


def test_ctrl_c_pressed_twice_shows_no_traceback(tmp_path: Path) -> None:
    words = ("--workspace", str(tmp_path), "profile", "-d", DEVICE, "--models", "400", "--draw", "--operators", "0")
    with start(words) as process:
        assert process.stderr is not None
        process.stderr.readline()
        for _ in range(4):
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.05)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130, rest
    assert "Traceback" not in rest
    assert rest.count("continue with: ") == 1


def test_a_command_in_the_background_of_a_script_ends_by_kill(tmp_path: Path) -> None:
    words = ("--workspace", str(tmp_path), "profile", "-d", DEVICE, "--models", "400", "--draw", "--operators", "0")
    script = 'trap "" INT; exec "$@"'  # as a shell that is not interactive does for what ends in &
    command = ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "latseg", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.terminate()
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130, rest
    assert "continue with: " in rest


def finished(line: str) -> tuple[Any, str]:
    """Runs the offered command line to its end; its document and what it said meanwhile."""
    program, *words = shlex.split(line)
    assert program == "latseg"
    with start((*words, "--json")) as process:
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return json.loads(out), err


def nets_measured(shared: tuple[str, str]) -> int:
    """Measurements of whole nets in the store, of winners apart; a net measured twice counts twice."""
    with sqlite3.connect(Path(shared[1]) / "measurements.sqlite") as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM measurements WHERE source = 'campaign'").fetchone()
    connection.close()
    return int(count)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return "--workspace", str(tmp_path_factory.mktemp("interrupted"))


@pytest.mark.long
def test_every_long_command_goes_on_where_it_was_interrupted(shared: tuple[str, str]) -> None:
    profile = ("profile", "--device", DEVICE, "--size", "128x128", "--models", "12", "--operators", "4")
    campaign, said = finished(interrupted(*shared, *profile, at="6/16"))
    assert (campaign["models"], campaign["operators"], campaign["left"]) == (12, 4, 0)
    assert " 1/16" not in said, "what was measured is not measured again"

    fitted, _ = finished(interrupted(*shared, "fit", "--device", DEVICE, at="fit"))
    assert fitted["test_models"] > 0

    resume = interrupted(*shared, *SEARCH, at="near budget")
    assert resume.startswith(f"latseg {' '.join(shared)} search --resume ")
    assert interrupted(*shlex.split(resume)[1:], at="supernet") == resume
    again = interrupted(*shlex.split(resume)[1:], at=": search ")
    assert again == resume
    found, _ = finished(again)
    assert found["trials"] == 12
    assert [near["nets"] for near in found["near_budget"]] == [4]
    assert nets_measured(shared) == 12 + 4, "those near the budget once, however often the search was interrupted"

    winner = found["winners"][0]["id"]
    resume = interrupted(*shared, "train", found["run"], "--winner", winner, at="best quality")
    with start((*shared, "export", found["run"], "--winner", winner)) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "of 8 epochs of training" in said, "weights that were not trained to the end are not exported"
    trained, said = finished(resume)
    assert trained["epochs"] == 8
    assert " 1/" not in said, "training goes on where it stopped"

    resume = interrupted(*shared, "export", found["run"], "--winner", winner, at="export: ")
    program, *words = shlex.split(resume)
    bundles = Path(shared[1]) / "runs" / found["run"] / "bundles"
    assert program == "latseg"
    assert not list(bundles.glob("*")), "no half a bundle"
    with start((*words, "--json")) as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 4, err  # simulated: never certified
    assert Path(json.loads(out)["bundle"], "manifest.json").is_file()
