"""Bundles that somebody or something changed: random ones, the same for the same seed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.export.bundle.single_edits import edits, leaves

Tamper = Callable[[Path, random.Random], str]
"""Changes the bundle and says how."""


def tamper(folder: Path, seed: int) -> str:
    """One random change of the bundle in ``folder``, or several."""
    rng = random.Random(seed)
    kind = TAMPERS[seed % len(TAMPERS)]
    return f"{kind.__name__}: {kind(folder, rng)}"


def single_edit(folder: Path, rng: random.Random) -> str:
    return _edit(folder, rng, 1)


def several_edits(folder: Path, rng: random.Random) -> str:
    return _edit(folder, rng, rng.randint(2, 6))


def changed_type(folder: Path, rng: random.Random) -> str:
    """A leaf becomes something else altogether, such as a number of 400 digits or a text with control characters."""
    manifest = _read(folder)
    path = rng.choice(list(leaves(manifest)))
    value = rng.choice(_STRANGE)
    _set(manifest, path, value)
    _write(folder, json.dumps(manifest))
    return f"{_dotted(path)} = {str(value)[:40]!r}"


def removed_key(folder: Path, rng: random.Random) -> str:
    manifest = _read(folder)
    holder, path = manifest, rng.choice([path for path in leaves(manifest) if isinstance(path[-1], str)])
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    _write(folder, json.dumps(manifest))
    return _dotted(path)


def moved_file(folder: Path, rng: random.Random) -> str:
    """The manifest names another path for a file."""
    manifest = _read(folder)
    entry = rng.choice(manifest["files"])
    entry["path"] = rng.choice(_PATHS)
    _write(folder, json.dumps(manifest))
    return str(entry["path"])[:40]


def bytes_of_the_manifest(folder: Path, rng: random.Random) -> str:
    return _flip(folder / "manifest.json", rng)


def bytes_of_a_file(folder: Path, rng: random.Random) -> str:
    return _flip(rng.choice(_files(folder)), rng)


def fitted_bytes(folder: Path, rng: random.Random) -> str:
    """Changed bytes whose hash and size were fitted."""
    path = rng.choice([folder / "parity.safetensors", folder / "model.onnx", folder / "model_uint8.onnx"])
    done = _flip(path, rng)
    fit_hashes(folder)
    return done


def cut(folder: Path, rng: random.Random) -> str:
    path = rng.choice(_files(folder))
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])
    if rng.random() < 0.5 and path.name != "manifest.json":
        fit_hashes(folder)
    return path.name


def swapped(folder: Path, rng: random.Random) -> str:
    first, second = rng.sample(_files(folder), 2)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    if rng.random() < 0.5 and "manifest.json" not in (first.name, second.name):
        fit_hashes(folder)
    return f"{first.name} and {second.name}"


def special_file(folder: Path, rng: random.Random) -> str:
    """A FIFO, a link or a folder in the place of a file, or beside the files."""
    path = rng.choice([*_files(folder), folder / "more"])
    kind = rng.choice(["fifo", "zero", "file", "missing", "loop", "folder", "linked folder", "empty"])
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        path.symlink_to(path if kind == "loop" else _TARGETS[kind])
    return f"{kind} {path.name}"


def deep_json(folder: Path, rng: random.Random) -> str:
    depth = rng.choice([150, 500, 990, 5_000, 500_000])
    inner = rng.choice(['{"a":', "["])
    nested = inner * depth + "1" + {"[": "]"}.get(inner, "}") * depth
    text = (folder / "manifest.json").read_text()
    _write(folder, rng.choice([nested, text.replace('"task": {', f'"task": {{"deep": {nested},', 1)]))
    return f"{depth} levels"


def huge_manifest(folder: Path, rng: random.Random) -> str:
    manifest = _read(folder)
    if rng.random() < 0.5:
        manifest["reproduce"] = "x" * rng.choice([10**6, 3 * 10**7])
    else:
        blocks = manifest["certificates"][0]["blocks"]
        manifest["certificates"][0]["blocks"] = blocks * rng.choice([100, 2_000, 50_000 // 16])
    _write(folder, json.dumps(manifest))
    return f"{(folder / 'manifest.json').stat().st_size:,} bytes"


def sparse_file(folder: Path, rng: random.Random) -> str:
    path = rng.choice(_files(folder))
    size = rng.choice([2**32, 2**40])
    os.truncate(path, size)
    return f"{path.name}, {size:,} bytes"


def fit_hashes(folder: Path) -> None:
    """Writes the right hash and size of every file into the manifest, as a careful forger does."""
    from hashlib import sha256

    manifest = _read(folder)
    for entry in manifest["files"]:
        content = (folder / entry["path"]).read_bytes()
        entry.update(sha256=sha256(content).hexdigest(), bytes=len(content))
    for certificate in manifest["certificates"]:
        certificate["model_sha256"] = manifest["files"][0]["sha256"]
    _write(folder, json.dumps(manifest))


TAMPERS: tuple[Tamper, ...] = (
    single_edit, several_edits, changed_type, removed_key, moved_file, bytes_of_the_manifest, bytes_of_a_file,
    fitted_bytes, cut, swapped, special_file, deep_json, huge_manifest, sparse_file,
)  # fmt: skip
_STRANGE: tuple[Any, ...] = (
    None, [], {}, [[]], [None], "", "\x00", "\ud800", "\x1b[31m", "x" * 10_000,
    -1, 0, 1e308, 1e-308, 10**400, 2**63, True,
)  # fmt: skip
_PATHS = ("/etc/passwd", "../model.onnx", "a" * 300, "a/" * 2000 + "b", "model.onnx/x", "\x00", ".", "é" * 200)
_TARGETS = {"zero": "/dev/zero", "file": "/etc/hostname", "missing": "/nowhere", "linked folder": "/"}


def _edit(folder: Path, rng: random.Random, count: int) -> str:
    manifest = _read(folder)
    done = []
    for _ in range(count):
        path = rng.choice(list(leaves(manifest)))
        holder = manifest
        for step in path[:-1]:
            holder = holder[step]
        _set(manifest, path, rng.choice(list(edits(holder[path[-1]]))))
        done.append(_dotted(path))
    _write(folder, json.dumps(manifest))
    return ", ".join(done)


def _flip(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    places = [rng.randrange(len(content)) for _ in range(rng.randint(1, 8))]
    for place in places:
        content[place] ^= rng.randint(1, 255)
    path.write_bytes(content)
    return f"{path.name} at {places}"


def _set(manifest: Any, path: tuple[str | int, ...], value: Any) -> None:
    for step in path[:-1]:
        manifest = manifest[step]
    manifest[path[-1]] = value


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _read(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text())


def _write(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
