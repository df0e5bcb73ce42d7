"""A net of the user's own in its process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from search.teachers.net import TeacherNet


def test_whole_numbers_reach_a_net_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: dict[str, NDArray[np.generic]] = {}
    net = TeacherNet(Path("net.onnx"), 1)
    monkeypatch.setattr(TeacherNet, "dtype", np.dtype(np.uint8))
    monkeypatch.setattr(TeacherNet, "_input", ("image", (1, 256)))
    monkeypatch.setattr(TeacherNet, "_started", lambda _: SimpleNamespace(infer=fed.update))
    numbers = np.arange(256, dtype=np.float32)
    net.run((numbers / np.float32(255)) / np.float32(1 / 255))
    np.testing.assert_array_equal(fed["image"], numbers)
    assert fed["image"].dtype == np.uint8
