"""How every result was produced, and how it is written."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from devices import hardware

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("onnxruntime", "numpy", "onnx", "torch")


def provenance() -> dict[str, Any]:
    """Machine, load, versions and command; absolute paths of the command are shortened to their names."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv]
    return {
        "machine": {"cpu": hardware.cpu_name(), "cores": hardware.core_count(), "virtual": hardware.is_virtual()},
        "load_average_at_end": hardware.load_average(),
        "versions": {name: metadata.version(name) for name in _LIBRARIES} | {"python": sys.version.split()[0]},
        "command": " ".join(["python", *words]),
    }


def write_result(path: Path, document: dict[str, Any]) -> None:
    """Writes the document as JSON and prints its goals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document["goals"], indent=1))
