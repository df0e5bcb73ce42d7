"""Files of bug reports and of earlier searches, which may lie beside the repository; without them tests are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared"


def shared_case(name: str) -> Path:
    """The file of a case, such as ``"01-dim-zero-or-minus-one/zero.onnx"``; skips the test where it is absent."""
    return shared_file(f"cases/{name}")


def shared_file(name: str) -> Path:
    """Any such file; skips the test where it is absent."""
    path = _FOLDER / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path
