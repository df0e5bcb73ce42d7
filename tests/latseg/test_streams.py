"""Standard streams as they may be found, and signals that end a process."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latseg.cli import run

LATSEG = (sys.executable, "-m", "latseg")
DEVICES = " ".join((*LATSEG, "devices"))
PROFILE = ("profile", "--device", "simulated", "--models", "400", "--draw", "--operators", "0")


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("words", ["devices --json", "devices", "--help", "--version"])
def test_a_reader_that_ends_early_is_no_error(words: str) -> None:
    done = shell(f"{' '.join(LATSEG)} {words} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize("words", ["devices", "devices --json", "--help"])
def test_a_full_disk_behind_stdout_is_told(words: str) -> None:
    done = shell(f"{' '.join(LATSEG)} {words} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("latseg: stdout: got No space left on device; expected a stream")
    assert done.stderr.count("\n") == 1


def test_closed_streams_are_no_error() -> None:
    done = shell(f"{DEVICES} >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_an_encoding_lacks_is_replaced(tmp_path: Path) -> None:
    done = shell(f"{DEVICES}; {' '.join(LATSEG)} measure {tmp_path}/größe.onnx", PYTHONIOENCODING="ascii")
    assert "cpu" in done.stdout
    assert "gr??e.onnx, which does not exist" in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_a_process_save_like_ctrl_c(number: signal.Signals, tmp_path: Path) -> None:
    command = [*LATSEG, "--workspace", str(tmp_path), *PROFILE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        os.kill(process.pid, number)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130, rest
    assert rest.splitlines()[-1].startswith("latseg: interrupted: what was done is saved; continue with: latseg")


def test_a_terminal_that_is_closed_saves_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [*LATSEG, "--log-file", str(log), "--workspace", str(tmp_path / "w"), *PROFILE])
    os.read(terminal, 1)
    while not (tmp_path / "w" / "measurements.sqlite").exists():
        time.sleep(0.05)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130, log.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "X"),
        ("doctor", "X"),
        ("--workspace", "X", "profile", "--device", "simulated"),
        ("search", "--data", "folder:X", "--max-latency", "2ms"),
    ],
)
def test_a_name_that_no_file_can_have_is_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([word.replace("X", "x" * 300) for word in words]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "internal error" not in line
    assert "255 bytes" in line or "name too long" in line


def test_names_with_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (tmp_path / "runs" / "\x1b[2J\a\u009b").mkdir(parents=True)
    done = shell(f"{' '.join(LATSEG)} doctor {tmp_path}; {' '.join(LATSEG)} measure $'{tmp_path}/\\x1b[2J.onnx'")
    assert r"\x1b[2J\x07\x9b" in done.stdout
    assert r"\x1b[2J.onnx, which does not exist" in done.stderr
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()


def test_an_error_is_json_too() -> None:
    done = shell(f"{' '.join(LATSEG)} --json measure nowhere.onnx")
    assert json.loads(done.stdout)["exit_code"] == 2
