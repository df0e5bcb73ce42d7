"""A static folder that segments photographs and the camera in a browser, with onnxruntime-web."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

from typing_extensions import override

from devices.backends.web.installation import WebPackages
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source

FOLDER = "web"
RUNTIME_FOLDER = f"{FOLDER}/runtime"
PAGE = ("index.html", "page.css", "page.js", "network.js", "resample.js")
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
LICENCE = "LICENSE"


class WebExporter(Exporter):
    """The page, onnxruntime-web and the network in one folder; nothing is loaded from elsewhere."""

    format = "web"
    file_name = f"{FOLDER}/model.onnx"
    device = "web"
    packages = WebPackages.packages
    note = f"a page: python -m http.server --directory {FOLDER}"

    @override
    def availability(self) -> Availability:
        packages = WebPackages()
        if packages.is_installed():
            return Availability(True)
        return Availability(False, "onnxruntime-web is not installed", packages.remedy)

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        pictures = source.require_pictures(self.format)
        web, runtime = folder / FOLDER, folder / RUNTIME_FOLDER
        runtime.mkdir(parents=True)
        for name in PAGE:
            (web / name).write_bytes(page_file(name))
        for name in RUNTIME:
            shutil.copyfile(WebPackages().files / name, runtime / name)
        (runtime / LICENCE).write_bytes(files("onnxruntime").joinpath(LICENCE).read_bytes())
        shutil.copyfile(folder / "model.onnx", folder / self.file_name)
        known = {**source.layout.model_dump(), "classes": pictures.classes}
        (web / "network.json").write_text(json.dumps(known, indent=2), encoding="utf-8")
        return self.entry(folder)


def page_file(name: str) -> bytes:
    """A file of the page, one of ``PAGE``."""
    return files("export.web_page").joinpath(name).read_bytes()
