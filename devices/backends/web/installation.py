"""The installation ``web``: the runtime that the page loads."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from devices.installations.npm_packages import NpmPackages

VERSION = "1.30.0"


class WebPackages(NpmPackages):
    """onnxruntime-web, from npm."""

    name: ClassVar[str] = "web"
    purpose: ClassVar[str] = "onnxruntime-web for the devices web and page"
    licence: ClassVar[str] = "MIT"
    download_mb: ClassVar[int] = 40
    packages = (f"onnxruntime-web@{VERSION}",)

    @property
    def files(self) -> Path:
        """Folder of the files that a browser loads."""
        return self.modules / "onnxruntime-web" / "dist"
