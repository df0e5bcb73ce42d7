"""Installations are complete or not there, and say what to do where they fail."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from typing_extensions import override

from devices.installations.installation import Installation, OnLine
from devices.installations.npm_packages import NpmPackages
from devices.installations.python_environment import PythonEnvironment
from devices.installations.registry import INSTALLATIONS
from devices.reference_net import REFERENCE_NET
from devices.worker.client import WorkerClient
from devices.worker.inference import InferenceProcess
from devices.worker.transport import LocalTransport
from foundation.errors import UserError
from tests.latseg.command_line import run


class Small(Installation):
    """A file."""

    name = "small"
    purpose = "tests"
    licence = "Apache-2.0"
    download_mb = 1
    version = "1"
    words: tuple[str, ...] = ("touch", "content")

    @property
    @override
    def recipe(self) -> str:
        return self.version

    @override
    def build(self, on_line: OnLine) -> None:
        self.run(self.words, on_line)


class NewerSmall(Small):
    version = "2"
    words = ("touch", "newer")


class BrokenSmall(Small):
    words = ("sh", "-c", "touch half; echo collecting; echo 'ERROR: no such package'; echo the end; exit 3")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "home"))
    return tmp_path / "home"


def test_it_is_installed_once_and_again_for_another_recipe(home: Path) -> None:
    assert not Small().is_installed()
    Small().install()
    kept = home / "small" / "content"
    kept.write_text("from the first time")
    Small().install()
    assert kept.read_text() == "from the first time"
    assert not NewerSmall().is_installed()
    NewerSmall().install()
    assert NewerSmall().is_installed()
    assert not kept.exists()


def test_a_failure_leaves_nothing_that_counts_and_names_the_error(home: Path) -> None:
    heard: list[str] = []
    with pytest.raises(UserError, match="sh failed: ERROR: no such package") as caught:
        BrokenSmall().install(heard.append)
    assert heard == ["collecting", "ERROR: no such package", "the end"]
    assert "network" in caught.value.remedy
    assert not BrokenSmall().is_installed()
    Small().install()
    assert not (home / "small" / "half").exists()


def test_a_folder_of_somebody_else_is_left_alone(home: Path) -> None:
    (home / "small").mkdir(parents=True)
    (home / "small" / "thesis.txt").write_text("the only copy")
    with pytest.raises(UserError, match=r"which latseg did not make.*LATSEG_RUNTIMES"):
        Small().install()
    assert (home / "small" / "thesis.txt").read_text() == "the only copy"


def test_what_is_missing_names_its_command() -> None:
    with pytest.raises(UserError, match="latseg install small"):
        Small().require()


def test_two_processes_do_not_install_at_once(home: Path) -> None:
    home.mkdir()
    code = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); print(1, flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, home / "small.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UserError, match="another process"):
            Small().install()
        other.kill()
    Small().install()
    assert Small().is_installed()


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "file"))
    with pytest.raises(UserError, match="LATSEG_RUNTIMES"):
        Small().install()


def wheel(folder: Path) -> Path:
    """A package ``smallest`` with one module."""
    folder.mkdir()
    path = folder / "smallest-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("smallest.py", "answer = 42\n")
        archive.writestr("smallest-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: smallest\nVersion: 1.0\n")
        archive.writestr(
            "smallest-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("smallest-1.0.dist-info/RECORD", "")
    return path


def test_python_packages_lie_in_an_environment_of_their_own(tmp_path: Path) -> None:
    class Environment(PythonEnvironment):
        name = "environment"
        purpose = "tests"
        licence = "Apache-2.0"
        download_mb = 1
        packages = ("--no-index", str(wheel(tmp_path / "wheels")))

    Environment().install()
    words = [Environment().python, "-c", "import smallest; print(smallest.answer)"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "42\n"
    assert subprocess.run([sys.executable, "-c", "import smallest"], capture_output=True, check=False).returncode


def test_a_version_of_python_that_is_not_there() -> None:
    class Future(PythonEnvironment):
        name = "future"
        purpose = "tests"
        licence = "Apache-2.0"
        download_mb = 1
        packages = ("smallest==1.0",)
        python_version = "9.9"

    with pytest.raises(UserError, match=r"no Python 9\.9 .*uv python install 9\.9"):
        Future().install()


def test_packages_of_npm_run_no_scripts(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    script = {"postinstall": f"touch {tmp_path / 'ran'}"}
    (package / "package.json").write_text(json.dumps({"name": "smallest", "version": "1.0.0", "scripts": script}))
    (package / "index.js").write_text("")

    class Packages(NpmPackages):
        name = "packages"
        purpose = "tests"
        licence = "Apache-2.0"
        download_mb = 1
        packages = (str(package),)

    Packages().install()
    assert (Packages().modules / "smallest" / "index.js").exists()
    assert not (tmp_path / "ran").exists()


def test_without_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Packages(NpmPackages):
        name = "packages"
        purpose = "tests"
        licence = "Apache-2.0"
        download_mb = 1
        packages = ("smallest@1.0.0",)

    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no npm.*install Node\.js"):
        Packages().install()


def test_a_worker_runs_in_another_environment(tmp_path: Path) -> None:
    """It sees the packages of that environment, and of this one only ours."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True)
    site = next((tmp_path / "other").glob("lib/python*/site-packages"))
    (site / "these.pth").write_text(sysconfig.get_paths()["purelib"])
    transport = LocalTransport(python=tmp_path / "other" / "bin" / "python")
    with WorkerClient("devices.backends.ort.runtime:OnnxRuntime", 1, 60.0, transport) as worker:
        process = InferenceProcess(worker)
        process.load(REFERENCE_NET, REFERENCE_NET)
        environment = Path(f"/proc/{transport.pid}/environ").read_bytes().split(b"\0")
        path = next(line for line in environment if line.startswith(b"PYTHONPATH=")).decode()
    folder = Path(path.removeprefix("PYTHONPATH="))
    assert ":" not in path
    assert not folder.exists()  # removed with the worker
    assert folder.name == "packages"


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    monkeypatch.setitem(INSTALLATIONS.__dict__, "targets", {"small": f"{__name__}:Small"})
    assert run("--json", "install") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["installed"] is False
    assert run("--json", "install", "small") == 0
    out, err = capsys.readouterr()
    assert "about 1 MB (Apache-2.0)" in err
    assert str(home / "small") in err
    (installed,) = json.loads(out)
    assert installed == {**listed, "installed": True}
    assert (home / "small" / "content").exists()
    assert run("--json", "install", "--all") == 0
    assert "MB (" not in capsys.readouterr().err
    assert run("--json", "install", "tiny") == 2
