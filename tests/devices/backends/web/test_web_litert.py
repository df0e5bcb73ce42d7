"""The device ``web-litert`` in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from typing_extensions import override

from devices.backends.litert.installation import LiteRtConverter
from devices.backends.web_litert.device import WebLiteRtDevice
from devices.backends.web_litert.installation import LiteRtJs
from devices.backends.web_litert.runtime import NO_PROFILE
from devices.device import Device
from devices.measurement import Measurement
from devices.registry import get_device
from latseg.testing.device_contract import RuntimeContract

needs_runtime = pytest.mark.skipif(
    not WebLiteRtDevice().availability().available, reason="the runtime, its converter or a browser is missing"
)


def test_what_is_missing_names_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path))
    assert WebLiteRtDevice().availability().remedy == "latseg install web-litert"
    monkeypatch.setattr(LiteRtJs, "is_installed", lambda _: True)
    monkeypatch.setattr("devices.backends.web_litert.device.find_browser", lambda: "chromium")
    assert WebLiteRtDevice().availability().remedy == LiteRtConverter().remedy
    monkeypatch.setattr("devices.backends.web_litert.device.find_browser", lambda: None)
    assert "chromium" in WebLiteRtDevice().availability().remedy


def test_it_has_one_thread() -> None:
    assert get_device("web-litert", threads=4).threads == 1  # type: ignore[attr-defined]


@needs_runtime
@pytest.mark.targets
class TestWebLiteRt(RuntimeContract):
    runtime_modules = ("ai_edge_litert", "onnxruntime", "http.server")
    construct = "from devices.registry import get_device; get_device('web-litert')"
    tolerance = 1e-3

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return WebLiteRtDevice()

    @override
    def test_operators_add_up_to_the_latency(self, measured: dict[str, Measurement]) -> None:
        """There is no profiler; latseg measures operators alone."""
        assert {(result.operators, result.profiler) for result in measured.values()} == {((), NO_PROFILE)}

    @override
    def test_operators_know_their_own_time(self, measured: dict[str, Measurement]) -> None:
        pytest.skip(NO_PROFILE)

    @override
    def test_operators_name_tensors_of_the_users_model(self, measured: dict[str, Measurement]) -> None:
        pytest.skip(NO_PROFILE)

    @override
    def test_every_node_of_the_model_belongs_to_a_row(self, measured: dict[str, Measurement]) -> None:
        pytest.skip(NO_PROFILE)
