"""The device ``page`` in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.backends.web.browser import Browser
from devices.backends.web.gate import PageGate
from devices.backends.web.installation import WebPackages
from devices.backends.web.page_device import PageDevice
from devices.backends.web.runtime import open_browser
from devices.backends.web.server import PageServer
from devices.device import Candidate, Device
from devices.measurement import Measurement
from latseg.testing.device_contract import FAST, NOMINAL_MS
from latseg.testing.nets import saved, small_net
from tests.devices.backends.web.browser_contract import BrowserContract
from tests.devices.backends.web.test_web import needs_web


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        made = PageServer(("", "phone"), WebPackages().files)
        gate = PageGate(made)
        yield made
        gate.close()
        made.close()


@pytest.fixture(scope="module")
def shown(server: PageServer) -> Iterator[Browser]:
    made = open_browser(server.address(""), server.pages[""])
    yield made
    made.close()


@needs_web
@pytest.mark.targets
class TestPage(BrowserContract):
    construct = "from devices.registry import get_device; get_device('page')"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls, shown: Browser) -> Device:
        return PageDevice()


@needs_web
@pytest.mark.targets
def test_a_page_that_is_closed_and_opened_again_twice_goes_on(
    server: PageServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, link = server.address("phone"), server.pages["phone"]
    shown = open_browser(address, link)
    candidates = [Candidate(name, saved(small_net(), tmp_path / f"{name}.onnx")) for name in "ab"]
    protocol = replace(FAST, minimum_blocks=200, maximum_blocks=200)
    results: list[object] = []
    measuring = threading.Thread(
        target=lambda: results.extend(
            PageDevice(name="phone").measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=protocol)
        )
    )
    answered = threading.Semaphore(0)
    answer = link.answer
    monkeypatch.setattr(link, "answer", lambda number, body: (answer(number, body), answered.release()))
    measuring.start()
    for _ in range(2):
        for _ in range(30):
            assert answered.acquire(timeout=60.0)
        shown.close()
        shown = open_browser(address, link)
    measuring.join(120.0)
    shown.close()
    assert [type(each) for each in results] == [Measurement, Measurement]
