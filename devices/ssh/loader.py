"""The first program on the other machine: takes our sources, once, and starts the agent.

It is sent as text (``python3 -c TEXT FOLDER DIGEST WORD...``), needs the standard library only, and is written for
any Python 3, so that an old one is told from a missing one. It reads exactly what it needs from its input: the rest is
the agent's.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile

MARK = "latseg agent: "
"""Begins the first line that counts; a login shell may print others before."""
PACKAGES = ("devices", "foundation")
"""Our packages that the agent and the worker import."""
SIZE_BYTES = 8
"""Of the number before the archive."""
_OLDEST = (3, 11)
_UNUSED_S = 30 * 24 * 3600
"""Sources of another version that were not used for so long are removed."""


def tree_digest(root: str) -> str:
    """SHA-256 over names and contents of the Python files of ``PACKAGES`` in the folder ``root``."""
    digest = hashlib.sha256()
    for name in sources(root):
        with open(os.path.join(root, name), "rb") as file:  # noqa: PTH118, PTH123 - here and below: as Python 3.5 has it
            content = file.read()
        digest.update(b"%s %d " % (name.encode(), len(content)) + content)
    return digest.hexdigest()


def sources(root: str) -> "list[str]":
    """Paths of these files below ``root``, in the order of their names."""
    found = []
    for package in PACKAGES:
        for folder, _, names in os.walk(os.path.join(root, package)):  # noqa: PTH118
            paths = [os.path.join(folder, name) for name in names if name.endswith(".py")]  # noqa: PTH118
            found += [os.path.relpath(path, root).replace(os.sep, "/") for path in paths]
    return sorted(found)


def _read(size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = os.read(0, size - len(content))
        if not piece:
            sys.exit("the connection ended before our sources had arrived")
        content += piece
    return content


def _unpack(folder: str, target: str, digest: str) -> None:
    """Unpacks the archive from the input beside ``target`` and renames it into place."""
    unfinished = tempfile.mkdtemp(prefix="new-", dir=folder)
    try:
        with zipfile.ZipFile(io.BytesIO(_read(int.from_bytes(_read(SIZE_BYTES), "big")))) as archive:
            archive.extractall(unfinished)
        if tree_digest(unfinished) != digest:
            sys.exit("our sources arrived damaged")
        if tree_digest(target) != digest:  # else another process was first
            shutil.rmtree(target, ignore_errors=True)
            os.rename(unfinished, target)  # noqa: PTH104
    except OSError:
        if tree_digest(target) != digest:
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _clean(folder: str, target: str) -> None:
    os.utime(target)
    for name in os.listdir(folder):  # noqa: PTH208
        path = os.path.join(folder, name)  # noqa: PTH118
        if re.match("[0-9a-f]{64}$|new-", name) and _last_use(path) < time.time() - _UNUSED_S:
            shutil.rmtree(path, ignore_errors=True)


def _last_use(path: str) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116
    except OSError:  # another process has removed it
        return time.time()


def main() -> None:
    """Ends as the agent."""
    folder, digest, *words = sys.argv[1:]
    target = os.path.join(folder, digest)  # noqa: PTH118
    known, usable = tree_digest(target) == digest, sys.version_info >= _OLDEST
    hello = {"folder": folder, "python": sys.version.split()[0], "usable": usable, "known": known}
    os.write(1, (MARK + json.dumps(hello) + "\n").encode())
    if not usable:
        return
    if not known:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        _unpack(folder, target, digest)
    _clean(folder, target)
    paths = [target, os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "devices.ssh.agent", folder, *words])  # noqa: S606


if __name__ == "__main__":
    main()
