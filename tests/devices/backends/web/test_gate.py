"""Other processes reach the pages of ``latseg serve``; no browser is needed for that."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Listener
from pathlib import Path
from socketserver import BaseServer
from uuid import uuid4

import pytest

from devices.backends.web import gate, page_link
from devices.backends.web.gate import PageGate, ServedPage
from devices.backends.web.installation import WebPackages
from devices.backends.web.page_device import PageDevice
from devices.backends.web.page_link import PageLink, PageSession
from devices.backends.web.page_runtime import ServedRuntime
from devices.backends.web.runtime import PageRuntime
from devices.backends.web.server import PageServer
from devices.device import Candidate
from devices.reference_net import REFERENCE_NET
from devices.registry import get_device
from devices.worker.device import ProcessDevice
from devices.worker.runtime import RuntimeLostError
from foundation.errors import DeviceUnavailableError, UserError
from latseg.testing.device_contract import FAST
from tests.devices.backends.web.test_page_link import PHONE, Page
from tests.latseg.command_line import run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page_link, "_LOOK_S", 0.01)
    monkeypatch.setattr(page_link, "_GRACE_S", 0.1)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    serve_forever = BaseServer.serve_forever  # looks every half second whether it is to end
    monkeypatch.setattr(BaseServer, "serve_forever", lambda server: serve_forever(server, 0.02))
    return tmp_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    made = PageServer(("phone",), tmp_path)
    gate = PageGate(made)
    yield made
    gate.close()
    made.close()


@pytest.fixture
def page(server: PageServer) -> Iterator[Page]:
    made = Page(server.pages["phone"], "a")
    made.thread.start()
    assert made.link.wait_until_present(5.0)
    yield made
    made.open = False
    made.thread.join()


def test_orders_reach_the_page_and_the_session_ends_with_the_connection(page: Page) -> None:
    served = ServedPage("phone")
    assert served.greeting.is_present
    assert served.greeting.description == page.link.description
    assert [served.ask(b"%d" % at) for at in range(3)] == [b"00", b"11", b"22"]
    served.close()
    end = time.monotonic() + 5.0
    while not page.ended and time.monotonic() < end:
        time.sleep(0.01)
    assert len(page.ended) == 1


def test_a_page_that_is_closed(page: Page) -> None:
    served = ServedPage("phone")
    page.open = False
    page.thread.join()
    with pytest.raises(RuntimeLostError, match="page was closed"):
        served.ask(b"x")


def test_a_process_that_is_killed_while_it_waits_ends_its_session(server: PageServer) -> None:
    """A model that hangs in the page must not hang there for ever."""
    slow = Page(server.pages["phone"], "a")
    fetched = []
    with slow.link.request("a", PHONE, 0, lambda: False):
        code = "from devices.backends.web.gate import ServedPage; ServedPage('phone').ask(b'endless')"
        with subprocess.Popen([sys.executable, "-c", code]) as other:
            while (order := slow.fetch()) is None:
                pass
            fetched.append(order)
            slow.received = order.number
            other.kill()
        while (order := slow.fetch()) is None:
            pass
        fetched.append(order)
    assert [order.body for order in fetched] == [b"endless", b""]
    assert fetched[0].session == fetched[1].session


def test_pages_that_are_not_there() -> None:
    phone = PageDevice(name="phone")
    assert "run `latseg serve phone`" in phone.availability().remedy
    with pytest.raises(DeviceUnavailableError, match="latseg serve phone"):
        phone.info()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        ServedPage("phone")


def test_what_a_page_lacks(server: PageServer) -> None:
    phone = PageDevice(name="phone")
    assert server.address("phone") in phone.availability().remedy
    assert "does not show this page" in PageDevice(name="laptop").availability().reason
    page = Page(server.pages["phone"], "a")
    page.thread.start()
    assert page.link.wait_until_present(5.0)
    assert phone.availability().available
    assert "at most 1" in PageDevice(name="phone", threads=2).availability().reason
    page.open = False
    page.thread.join()
    time.sleep(0.15)
    assert phone.availability().reason == "the page is not open"
    info = phone.info()  # of the page that was open
    assert (info.name, info.hardware, info.threads) == ("page:phone", "a phone", 1)
    assert info.settings == (("browser", "Chrome 150"), ("isolated", "no"))
    with pytest.raises(DeviceUnavailableError, match="not open"):
        phone.measure([], nominal_reference_ms=1.0, protocol=FAST)


def test_blocks_are_long_beside_the_steps_of_the_clock(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    protocols = []
    monkeypatch.setattr(ProcessDevice, "measure", lambda *_, protocol, **__: protocols.append(protocol) or iter(()))
    for block_ms in (1.0, 50.0):
        protocol = replace(FAST, block_ms=block_ms)
        candidate = Candidate("reference", REFERENCE_NET)
        get_device("page:phone").measure([candidate], nominal_reference_ms=1.0, protocol=protocol)
    assert [protocol.block_ms for protocol in protocols] == [20.0, 50.0], "the clock has steps of 0.1 ms"
    assert {protocol.profile_runs for protocol in protocols} == {10 * FAST.profile_runs}


def opened_again(link: PageLink, **changed: object) -> None:
    """The page is there, but gives no answers."""
    description = PHONE.model_copy(update=changed)
    with link.request(uuid4().hex, description, 0, lambda: False):
        pass


@pytest.mark.parametrize("changed", [{"browser": "Firefox 140"}, {"hardware": "another phone"}, {"isolated": True}])
def test_a_page_in_another_browser_is_another_device(
    server: PageServer, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    monkeypatch.setattr(page_link, "_GRACE_S", 60.0)
    link = server.pages["phone"]
    opened_again(link)
    phone = PageDevice(name="phone")
    candidate = Candidate("reference", REFERENCE_NET)
    results = phone.measure([candidate], nominal_reference_ms=1.0, protocol=FAST)
    opened_again(link, clock_ms=0.2)
    assert phone.availability().available
    opened_again(link, **changed)
    assert "another browser" in phone.availability().reason
    for use in (phone.info, lambda: next(results), lambda: phone.infer(REFERENCE_NET, {})):
        with pytest.raises(DeviceUnavailableError, match="another browser"):
            use()
    assert PageDevice(name="phone").availability().available


def test_a_worker_accepts_one_browser(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_link, "_GRACE_S", 60.0)
    monkeypatch.setattr(PageRuntime, "__init__", lambda *_: None)
    phone = PageDevice(name="phone")
    opened_again(server.pages["phone"])
    assert phone.info().hardware == "a phone"
    ServedRuntime(1, phone.runtime.split(":", 2)[2])
    opened_again(server.pages["phone"], browser="Firefox 140")
    ServedRuntime(1, "phone")
    with pytest.raises(RuntimeLostError, match="another browser"):
        ServedRuntime(1, phone.runtime.split(":", 2)[2])


def test_one_process_serves_at_a_time(server: PageServer, tmp_path: Path) -> None:
    other = PageServer(("phone",), tmp_path)
    with pytest.raises(UserError, match="another `latseg serve`"):
        PageGate(other)
    other.close()


def test_a_process_that_was_killed_is_followed(home: Path, server: PageServer) -> None:
    path = home / "latseg" / "serve" / "socket"
    assert path.parent.stat().st_mode & 0o077 == 0
    path.unlink()
    path.touch()
    gate = PageGate(server)
    assert not ServedPage("phone").greeting.is_present
    gate.close()


@pytest.mark.timeout(20)
def test_a_process_that_is_stopped_is_not_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_GREETING_S", 0.05)
    path = home / "latseg" / "serve" / "socket"
    path.parent.mkdir(parents=True)
    made = PageServer(("phone",), home)
    with Listener(str(path)):  # as of a process after Ctrl-Z: it accepts nothing
        for _ in range(4):  # more than the system lets wait
            assert "does not show this page" in PageDevice(name="phone").availability().reason
        with pytest.raises(UserError, match="another `latseg serve`"):
            PageGate(made)
    made.close()


def test_a_process_of_another_version_is_no_crash(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    greet = gate._greet
    monkeypatch.setattr(gate, "_greet", lambda connection, _: connection.send_bytes(b'{"colour": "red"}'))
    assert "does not show this page" in PageDevice(name="phone").availability().reason
    monkeypatch.setattr(gate, "_greet", greet)
    assert PageDevice(name="phone").availability().available


def test_a_greeting_is_of_the_browser_of_its_session(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_link, "_GRACE_S", 60.0)
    link = server.pages["phone"]
    opened_again(link)
    open_session = link.open_session

    def after_a_change(is_wanted: Callable[[], bool]) -> PageSession:
        opened_again(link, browser="Firefox 140")
        return open_session(is_wanted)

    monkeypatch.setattr(link, "open_session", after_a_change)
    described = ServedPage("phone").greeting.description
    assert described is not None
    assert described.browser == "Firefox 140"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "runtimes"))
    monkeypatch.setattr(WebPackages, "build", lambda *_: None)
    WebPackages().install()


def test_the_command_serves_until_it_is_interrupted(installed: None) -> None:
    words = [sys.executable, "-m", "latseg", "--json", "serve", "phone", "laptop", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(command.stdout.readline())
            assert lines[-1], command.stderr
        document = json.loads("".join(lines))
        assert [page["device"] for page in document["pages"]] == ["page:phone", "page:laptop"]
        assert document["url"] == document["pages"][0]["url"]
        for each in document["pages"]:
            with urllib.request.urlopen(each["url"]) as response:
                assert b"latseg" in response.read()
        assert document["url"] in get_device("page:phone").availability().remedy
        command.send_signal(signal.SIGINT)
        assert command.wait(20.0) == 0


def test_what_fails_later_leaves_no_server(
    installed: None, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise UserError("console", seen="closed", expected="open", remedy="none")

    monkeypatch.setattr(import_module("latseg.commands.serve"), "_report", fail)  # the package has the function
    assert run("--json", "serve", "--port", "0") == 2
    assert not (home / "latseg" / "serve" / "socket").exists()
    document, _ = json.JSONDecoder().raw_decode(capsys.readouterr().out)
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(document["url"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Phone"], "'Phone'; expected at most 32 small letters"),
        (["--certificate", __file__], "expected a PEM file"),
        (["--certificate", "gone.pem"], "No such file"),
        (["--host", "192.0.2.1"], "server: got 192.0.2.1:8765"),
    ],
)
def test_what_cannot_be_served(
    installed: None, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("serve", *words) == 2
    assert message in capsys.readouterr().err


def test_without_the_runtime(monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(home))
    assert run("serve") == 2
    assert "latseg install web" in capsys.readouterr().err
