from __future__ import annotations

import pytest

from export.bundle import decision


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of bundles look at what they set, not at what else runs on this machine."""
    monkeypatch.setattr("devices.other_load.other_load", lambda: 0.0)
    monkeypatch.setattr(decision, "_PAUSE_S", 0.0)
