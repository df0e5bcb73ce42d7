"""Wheel and source distribution hold exactly our packages, and the wheel runs without the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOP = set(PROJECT["tool"]["importlinter"]["root_packages"])

pytestmark = pytest.mark.slow


def run(*command: object, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """Paths of all files of the working tree that Git knows."""
    listed = run("git", "-C", ROOT, "ls-files").split()
    return {name for name in listed if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def built(tracked: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source)
    return folder


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split("/")[0] in TOP}


def test_wheel_holds_exactly_our_packages(built: Path, tracked: set[str]) -> None:
    (wheel,) = built.glob("*.whl")
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == ours(tracked)


def test_source_distribution_holds_all_that_a_wheel_is_built_from(built: Path, tracked: set[str]) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        files = {member.name.partition("/")[2] for member in opened if member.isfile()}
    assert ours(files) == ours(tracked)
    assert {"pyproject.toml", "README.md", "LICENSE"} <= files


def test_wheel_runs_from_a_fresh_folder(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "installed"
    options = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet", "--target", target)
    run(sys.executable, "-m", "pip", "install", *options, wheel)
    version = f"latseg {PROJECT['project']['version']}\n"
    assert run(target / "bin" / "latseg", "--version", PYTHONPATH=str(target)) == version
    assert " search " in run(target / "bin" / "latseg", "--help", PYTHONPATH=str(target))
    where = f"import {', '.join(sorted(TOP))}; print(*(each.__file__ for each in ({', '.join(sorted(TOP))},)))"
    found = run(sys.executable, "-P", "-c", where, PYTHONPATH=str(target)).split()
    assert all(Path(file).is_relative_to(target) for file in found), found
