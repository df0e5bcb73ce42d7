"""Files of bug reports and public data, which may lie beside the repository; tests are skipped where not."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared"


def shared_case(name: str) -> Path:
    """The file of a case, such as ``"01-dim-zero-or-minus-one/zero.onnx"``; skips the test where it is absent."""
    return _shared(_FOLDER / "cases" / name)


def shared_data(name: str) -> Path:
    """A file of public data, such as ``"cora/cora.npz"``; skips the test where it is absent."""
    return _shared(_FOLDER / "data" / name)


def _shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"no {path}")
    return path
