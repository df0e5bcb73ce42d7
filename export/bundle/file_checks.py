"""Whether the files of a bundle are the ones that its manifest names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.model_file import sha256_of
from export.bundle.check import Check
from export.bundle.manifest import MANIFEST_NAME, Manifest
from foundation.errors import UserError


@dataclass(frozen=True, slots=True)
class FileChecks:
    """What was found; ``intact`` are the paths whose content has its hash."""

    checks: tuple[Check, ...]
    intact: frozenset[str]


def check_files(folder: Path, manifest: Manifest) -> FileChecks:
    """One check that no file is missing or extra, and one of SHA-256 per file."""
    expected = {file.path: file.sha256 for file in manifest.files}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    hashes = {path: _hash(folder, path, expected[path]) for path in expected if path in present}
    return FileChecks(
        checks=(_listing(set(expected), present - {MANIFEST_NAME}), *hashes.values()),
        intact=frozenset(path for path, check in hashes.items() if check.ok),
    )


def _listing(expected: set[str], present: set[str]) -> Check:
    faults = [f"{path} is missing" for path in sorted(expected - present)]
    faults += [f"{path} is not of the bundle" for path in sorted(present - expected)]
    return Check("files", not faults, "; ".join(faults) or f"all {len(expected)} files, no other")


def _hash(folder: Path, path: str, sha256: str) -> Check:
    name = f"hash of {path}"
    if (folder / path).is_symlink():
        return Check(name, False, "is a link")
    try:
        found = sha256_of(folder / path)
    except UserError as error:
        return Check(name, False, str(error))
    if found != sha256:
        return Check(name, False, f"the file was changed: SHA-256 {found[:12]}…, not {sha256[:12]}…")
    return Check(name, True, f"SHA-256 {found[:12]}…")
