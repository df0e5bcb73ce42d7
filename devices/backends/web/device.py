"""The device ``web``: onnxruntime-web in a headless browser of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.backends.web.browser import browser_version, find_browser
from devices.backends.web.installation import VERSION, WebPackages
from devices.device_info import DeviceInfo
from devices.footprint import Footprint
from devices.target import Availability
from devices.worker.device import ProcessDevice


class WebDevice(ProcessDevice):
    """onnxruntime-web (WebAssembly) in Chromium or Chrome, float32, with a fixed number of threads (one by default)."""

    name = "web"
    runtime = "devices.backends.web.runtime:WebRuntime"
    package = "onnxruntime-web"

    @override
    def availability(self) -> Availability:
        packages = WebPackages()
        if not packages.is_installed():
            return Availability(False, f"{self.package} is not installed", packages.remedy)
        if find_browser() is None:
            return Availability(False, "no Chromium or Chrome on the path", "install one: `apt-get install chromium`")
        return Availability(True)

    @override
    def footprint(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> Footprint:
        # The memory is that of the browser, which shares it among its processes.
        return replace(super().footprint(path, inputs), peak_memory_mb=None)

    @override
    def runtime_version(self) -> str:
        return VERSION

    @override
    def info(self) -> DeviceInfo:
        info, browser = super().info(), find_browser()
        return replace(info, settings=(("browser", browser_version(browser or "")),))
