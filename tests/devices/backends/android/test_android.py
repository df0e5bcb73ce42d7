"""The device ``android`` behind a stand-in for adb; also with Chromium in the place of the phone's Chrome."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from devices.backends.android.adb import AdbError, Phone
from devices.backends.android.device import AndroidDevice
from devices.backends.web.browser import find_browser
from devices.backends.web.installation import WebPackages
from devices.device import Candidate, Device
from devices.registry import get_device
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST, NOMINAL_MS
from latseg.testing.nets import saved, small_net
from tests.devices.backends.android import stand_in_adb
from tests.devices.backends.web.browser_contract import BrowserContract
from tests.devices.backends.web.test_web import needs_web

PHONE = {
    "ro.product.manufacturer": "Acme",
    "ro.product.model": "One",
    "ro.soc.model": "X100",
    "ro.build.version.release": "16",
}
CHROME = (
    "Packages:\n  Package [com.android.chrome] (5b1d2c):\n    versionCode=1 minSdk=29\n    versionName=150.0.7871.44\n"
)


class StandIn:
    """The folder of a stand-in for adb."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "adb"
        program.write_text(f"#!{sys.executable}\n{Path(stand_in_adb.__file__).read_text()}")
        program.chmod(0o755)
        self.write("properties", json.dumps(PHONE))
        self.write("package", CHROME)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(WebPackages, "is_installed", lambda _: True)
    return StandIn(tmp_path)


def test_what_is_missing_is_named_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = AndroidDevice(serial="R58N")
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path / "none"))
    assert device.availability().remedy == "latseg install web"
    monkeypatch.setattr(WebPackages, "is_installed", lambda _: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install adb" in device.availability().remedy
    stand_in = StandIn(tmp_path)
    stand_in.write("failure", "device 'R58N' not found")
    assert device.availability().reason == "adb: device 'R58N' not found"
    (tmp_path / "failure").unlink()
    stand_in.write("package", "Unable to find package: com.android.chrome")
    assert device.availability().reason == "the phone has no Chrome"
    stand_in.write("package", CHROME)
    assert device.availability().available


def test_the_fingerprint_is_that_of_the_phone(adb: StandIn) -> None:
    info = AndroidDevice(serial="R58N", threads=2).info()
    assert (info.name, info.hardware, info.threads) == ("android:R58N", "Acme One, X100", 2)
    assert info.settings == (("browser", "Chrome 150"), ("system", "Android 16"))
    assert {tuple(words[:2]) for words in adb.asked} == {("-s", "R58N")}
    adb.write("properties", json.dumps({**PHONE, "ro.soc.model": "", "ro.product.model": "Two"}))
    assert AndroidDevice().info().hardware == "Acme Two"
    assert "-s" not in adb.asked[-1], "the only phone needs no serial number"


def test_two_phones_are_two_machines() -> None:
    assert AndroidDevice(serial="A1").machine != AndroidDevice(serial="B2").machine
    assert AndroidDevice(serial="A1").machine


def test_a_phone_that_is_gone_is_unavailable(adb: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    device = AndroidDevice()
    adb.write("failure", "no devices/emulators found")
    with pytest.raises(DeviceUnavailableError, match="adb devices"):
        device.info()
    monkeypatch.setattr(device, "require_available", lambda: None)
    with pytest.raises(DeviceUnavailableError, match="no devices/emulators found"):
        device.info()


def test_an_emulator_is_not_measured(adb: StandIn, tmp_path: Path) -> None:
    adb.write("properties", json.dumps({**PHONE, "ro.boot.qemu": "1"}))
    candidate = Candidate("net", saved(small_net(), tmp_path / "small.onnx"))
    with pytest.raises(DeviceUnavailableError, match="Android's emulator"):
        list(AndroidDevice().measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=FAST))


def test_an_address_reaches_the_phone_as_it_is(adb: StandIn) -> None:
    address = "http://127.0.0.1:28765/?page=&token=a'b $(reboot)"
    Phone("R58N").open(address)
    words = adb.asked[-1]
    assert words[:3] == ["-s", "R58N", "shell"]
    assert len(words) == 4, "one line, which the phone's shell splits"
    assert address in shlex.split(words[3])


def test_what_fails_says_why(adb: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    adb.write("failure", "closed")
    with pytest.raises(AdbError, match=r"^closed$"):
        Phone("").reverse(1, 2)
    monkeypatch.setattr(Phone, "_shell", lambda *_: "Starting: Intent\nError: Activity not started")
    with pytest.raises(AdbError, match="Activity not started"):
        Phone("").open("http://127.0.0.1")


@needs_web
@pytest.mark.targets
class TestAndroid(BrowserContract):
    construct = "from devices.registry import get_device; get_device('android:R58N')"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Iterator[Device]:
        with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            StandIn(Path(folder)).write("browser", find_browser() or "")
            patch.setenv("PATH", folder, prepend=":")
            patch.setattr(stand_in_adb, "HERE", Path(folder))
            yield get_device("android:R58N")
            stand_in_adb.close()
