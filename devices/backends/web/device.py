"""The device ``web``: onnxruntime-web in a headless browser of this machine."""

from __future__ import annotations

from typing_extensions import override

from devices.backends.web.browser import browser_version, find_browser
from devices.backends.web.installation import VERSION, WebPackages
from devices.target import Availability
from devices.worker.device import ProcessDevice

NO_BROWSER = Availability(False, "no Chromium or Chrome on the path", "install one: `apt-get install chromium`")


class WebDevice(ProcessDevice):
    """onnxruntime-web (WebAssembly) in Chromium or Chrome, float32, with a fixed number of threads (one by default)."""

    name = "web"
    runtime = "devices.backends.web.runtime:WebRuntime"
    package = "onnxruntime-web"
    computes_in_worker = False

    @override
    def installed(self) -> Availability:
        packages = WebPackages()
        if not packages.is_installed():
            return Availability(False, f"{self.package} is not installed", packages.remedy)
        if find_browser() is None:
            return NO_BROWSER
        return Availability(True)

    @override
    def runtime_version(self) -> str:
        return VERSION

    @override
    def settings(self) -> tuple[tuple[str, str], ...]:
        return (("browser", browser_version(find_browser() or "")),)
