"""The programs in a bundle, and whether they are those that this version writes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from devices.backends.web.installation import WebPackages
from devices.model_file import sha256_of
from export.bundle.check import Check
from export.bundle.manifest import BundleFile, Manifest
from export.bundle.texts import BUILDER_NAME, SCRIPT_NAME, builder_script, segment_script
from export.phone_examples import KOTLIN_NAME, SWIFT_NAME, kotlin_example, swift_example
from export.source import Pictures
from export.to_web import FOLDER, PAGE, RUNTIME, RUNTIME_FOLDER, page_file

_SUFFIXES = frozenset({".css", ".html", ".js", ".kt", ".mjs", ".py", ".swift", ".wasm"})
_RUNTIME_PATHS = frozenset(f"{RUNTIME_FOLDER}/{name}" for name in RUNTIME)
_OWN = "the one that this version writes"


def check_programs(manifest: Manifest, intact: Collection[str]) -> Iterator[Check]:
    """Another version's program is no fault of the bundle, but whoever runs it should know.

    Args:
        manifest: of the bundle; files that it names with the suffix of a program are looked at.
        intact: paths of the files whose SHA-256 is that of the manifest.
    """
    own = _own(manifest)
    for file in manifest.files:
        if file.path in intact and PurePosixPath(file.path).suffix in _SUFFIXES:
            yield Check(f"program {file.path}", True, _words(file, own))


def _words(file: BundleFile, own: Mapping[str, set[str]]) -> str:
    packages, known = WebPackages(), own.get(file.path, set())
    if file.path in _RUNTIME_PATHS:
        if not packages.is_installed():
            return f"not compared, since onnxruntime-web is not installed: {packages.remedy}"
        known = {sha256_of(packages.files / PurePosixPath(file.path).name)}
    if file.sha256 in known:
        return _OWN
    instead = ", or use `latseg segment`" if file.path == SCRIPT_NAME else ""
    return f"not {_OWN}: read it before you run it{instead}"


def _own(manifest: Manifest) -> Mapping[str, set[str]]:
    """SHA-256 by path of what this version writes for such a network."""
    contents = {
        SCRIPT_NAME: [segment_script().encode()],
        BUILDER_NAME: [builder_script().encode()],
        **{f"{FOLDER}/{name}": [page_file(name)] for name in PAGE},
        **_examples(manifest),
    }
    return {path: {hashlib.sha256(each).hexdigest() for each in known} for path, known in contents.items()}


def _examples(manifest: Manifest) -> Mapping[str, list[bytes]]:
    layout = manifest.input
    if layout is None:
        return {}
    pictures = Pictures(classes=manifest.classes, normalisation=layout.normalisation)
    size = (layout.height, layout.width)
    return {
        KOTLIN_NAME: [kotlin_example(pictures, size, channels_last=last).encode() for last in (False, True)],
        SWIFT_NAME: [swift_example(pictures, size).encode()],
    }
