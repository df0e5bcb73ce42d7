"""The device ``android``: onnxruntime-web in Chrome on a phone."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from devices.backends.android.adb import AdbError, Phone, find_adb
from devices.backends.web.installation import VERSION, WebPackages
from devices.device_info import DeviceInfo
from devices.protocol import PROTOCOL_VERSION
from devices.target import Availability
from devices.worker.device import ProcessDevice
from foundation.errors import DeviceUnavailableError
from foundation.plugin_options import PluginOptions

_CONNECT = "connect it, switch USB debugging on, and allow this computer on its screen; `adb devices` lists phones"


class AndroidDevice(ProcessDevice):
    """onnxruntime-web (WebAssembly), float32, in Chrome on a phone, with a fixed number of threads (one by default).

    ``android:SERIAL`` is the phone that ``adb devices`` lists so, ``android`` the only one. Nothing is installed on it:
    Chrome opens a page of this computer through ``adb reverse``. Not executed on a phone: its tests let a stand-in
    for adb open the page in Chromium.
    """

    package = "onnxruntime-web"
    computes_in_worker = False
    start_s = 120.0

    class Options(PluginOptions):
        """Serial number of the phone, and number of threads."""

        bare: ClassVar[str] = "serial"
        serial: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,63})?$")
        threads: int = Field(default=1, ge=1, le=4096)

    def __init__(self, *, serial: str = "", threads: int = 1) -> None:
        super().__init__(threads=threads)
        self.name = f"android:{serial}" if serial else "android"
        self.runtime = f"devices.backends.android.runtime:AndroidRuntime:{serial}"
        self._phone = Phone(serial)

    @property
    @override
    def machine(self) -> str:
        return self.name

    @override
    def availability(self) -> Availability:
        packages = WebPackages()
        if not packages.is_installed():
            return Availability(False, f"{self.package} is not installed", packages.remedy)
        if find_adb() is None:
            return Availability(False, "no adb on the path", "apt-get install adb, or Android's platform-tools")
        try:
            if (state := self._phone.state()) != "device":
                return Availability(False, f"the phone is {state}", _CONNECT)
            if not self._phone.chrome_version():
                return Availability(False, "the phone has no Chrome", "install it on the phone")
        except AdbError as error:
            return Availability(False, f"adb: {error}", _CONNECT)
        return Availability(True)

    @override
    def info(self) -> DeviceInfo:
        self.require_available()
        read = self._property
        model = f"{read('ro.product.manufacturer')} {read('ro.product.model')}"
        return DeviceInfo(
            name=self.name,
            hardware=", ".join(part for part in (model, read("ro.soc.model")) if part),
            runtime=self.package,
            runtime_version=VERSION,
            threads=self.threads,
            precision=self.precision,
            protocol_version=PROTOCOL_VERSION,
            settings=(
                ("browser", f"Chrome {self._phone.chrome_version()}"),
                ("system", f"Android {read('ro.build.version.release')}"),
            ),
        )

    @override
    def emulated_by(self) -> str:
        return "Android's emulator" if self._property("ro.boot.qemu") == "1" else ""

    def _property(self, name: str) -> str:
        try:
            return self._phone.property(name)
        except AdbError as error:
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=f"adb: {error}", expected="a phone that answers", remedy=_CONNECT
            ) from error
