"""`profile`, `measure` and `compare` tell that other programs use the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

import latseg
from devices.other_load import BUSY_CORES
from foundation.errors import UserError
from tests.latseg.test_fix import write


@pytest.mark.slow
@pytest.mark.parametrize(("cores", "warned"), [(BUSY_CORES, True), (BUSY_CORES / 2, False)])
def test_it_is_told_once_for_each_command(
    cpu_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: float, warned: bool
) -> None:
    monkeypatch.setattr("devices.other_load.other_load", lambda: cores)
    monkeypatch.setattr("latency.campaign.run_campaign", lambda *_, **__: None)
    told: list[str] = []
    device = latseg.Workspace(cpu_workspace, on_warning=told.append).device("cpu")
    path = write(tmp_path / "net.onnx", listed=())
    for number, call in enumerate(
        (lambda: device.measure(path), lambda: device.compare(path, path), lambda: device.profile(models=3)), start=1
    ):
        call()
        assert len(told) == (number if warned else 0)
    assert all("cpu: other programs use 0.2 processor cores" in line for line in told)


def test_a_simulated_device_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.other_load.other_load", lambda: 2.0)
    told: list[str] = []
    device = latseg.Workspace(tmp_path / "ws", on_warning=told.append).device("simulated")
    device.measure(write(tmp_path / "net.onnx", listed=()))
    assert told == []


def test_less_than_one_pass_is_refused(tmp_path: Path) -> None:
    device = latseg.Workspace(tmp_path / "ws").device("simulated")
    with pytest.raises(UserError, match="expected 1 or more"):
        device.profile(models=3, passes=0)
