"""The device ``web-litert``: LiteRT.js in a headless browser of this machine."""

from __future__ import annotations

from typing_extensions import override

from devices.backends.litert.device import LiteRtDevice
from devices.backends.web.browser import browser_version, find_browser
from devices.backends.web.device import NO_BROWSER
from devices.backends.web_litert.installation import VERSION, LiteRtJs
from devices.target import Availability
from foundation.plugin_options import PluginOptions


class WebLiteRtDevice(LiteRtDevice):
    """LiteRT.js (WebAssembly with XNNPACK) in Chromium or Chrome, float32, one thread; onnx2tf converts the models.

    The runtime has no profiler: operators are measured alone.
    """

    name = "web-litert"
    runtime = "devices.backends.web_litert.runtime:WebLiteRt"
    package = "@litertjs/core"
    computes_in_worker = False
    over_ssh = False

    class Options(PluginOptions):
        """None: LiteRT.js has threads only beside what a page of ours can give it."""

    def __init__(self) -> None:
        super().__init__(threads=1)

    @override
    def installed(self) -> Availability:
        packages = LiteRtJs()
        if not packages.is_installed():
            return Availability(False, f"{self.package} is not installed", packages.remedy)
        return Availability(True) if find_browser() else NO_BROWSER

    @override
    def runtime_version(self) -> str:
        return VERSION

    @override
    def settings(self) -> tuple[tuple[str, str], ...]:
        return (*super().settings(), ("browser", browser_version(find_browser() or "")))
