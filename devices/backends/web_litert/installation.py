"""The installation ``web-litert``: the runtime that the page loads."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from devices.installations.npm_packages import NpmPackages
from foundation.regular_file import MODEL_BYTES, read_regular

VERSION = "2.5.3"
_CORE_IMPORT = '"@litertjs/wasm-utils"'
"""A name that only a bundler understands."""
_SCRIPT = "litert_wasm_internal.js"
_WITHOUT_IMPORT_SCRIPTS = "\nself.ModuleFactory = ModuleFactory;\n"
"""What a script defines for all, a module keeps to itself."""


class LiteRtJs(NpmPackages):
    """LiteRT.js, from npm."""

    name: ClassVar[str] = "web-litert"
    purpose: ClassVar[str] = "LiteRT.js for the device web-litert"
    licence: ClassVar[str] = "Apache-2.0"
    download_mb: ClassVar[int] = 12
    packages = (f"@litertjs/core@{VERSION}",)

    def page_files(self, folder: Path) -> dict[str, Path]:
        """The files that a browser loads, by their place in the address; two are written anew, into ``folder``."""
        core = self.modules / "@litertjs" / "core"
        wasm = core / "wasm"
        module = read_regular(core / "dist" / "index.js", limit=MODEL_BYTES).decode()
        script = read_regular(wasm / _SCRIPT, limit=MODEL_BYTES).decode()
        written = {
            "core.js": module.replace(_CORE_IMPORT, '"/runtime/wasm-utils.js"'),
            _SCRIPT: script + _WITHOUT_IMPORT_SCRIPTS,
        }
        for name, text in written.items():
            (folder / name).write_text(text, encoding="utf-8")
        return {
            **{f"/runtime/{name}": folder / name for name in written},
            "/runtime/wasm-utils.js": self.modules / "@litertjs" / "wasm-utils" / "dist" / "index.js",
            "/runtime/litert_wasm_internal.wasm": wasm / "litert_wasm_internal.wasm",
            "/engine.js": Path(__file__).parent / "engine.js",
        }
