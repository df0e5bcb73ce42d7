"""How every result was produced, and how it is written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from devices import hardware

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("onnxruntime", "numpy", "onnx", "torch")


def provenance() -> dict[str, Any]:
    """Commit, machine, load, versions and command; absolute paths of the command are shortened to their names."""
    words = [_shortened(word) for word in sys.argv]
    return {
        "commit": commit(),
        "machine": {"cpu": hardware.cpu_name(), "cores": hardware.core_count(), "virtual": hardware.is_virtual()},
        "load_average_at_end": hardware.load_average(),
        "versions": {name: metadata.version(name) for name in _LIBRARIES} | {"python": sys.version.split()[0]},
        "command": " ".join(["python", *words]),
    }


def _shortened(word: str) -> str:
    """``/a/b/c`` is ``c``, and ``kind:/a/b/c`` is ``kind:c``."""
    kind, colon, path = word.partition(":")
    if Path(word).is_absolute():
        return Path(word).name
    return f"{kind}{colon}{Path(path).name}" if Path(path).is_absolute() else word


def commit() -> str:
    """The commit that is checked out, with ``+`` where a file of it was changed; results do not count.

    ``unknown`` where there is no repository, or no git.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(RESULTS), *words]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            return ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!.")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def write_result(path: Path, document: dict[str, Any]) -> None:
    """Writes the document as JSON and prints its goals."""
    save(path, document)
    print_goals(document["goals"])


def summarise_again(path: Path, summarised: Callable[[Any], dict[str, Any]]) -> None:
    """Replaces in a result what follows from its ``rows``; how those were produced stays."""
    document = json.loads(path.read_text())
    write_result(path, document | summarised(document["rows"]))


def save(path: Path, document: dict[str, Any]) -> None:
    """Writes the document as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def print_goals(goals: list[dict[str, Any]]) -> None:
    """For people who wait for it."""
    print(json.dumps(goals, indent=1))
