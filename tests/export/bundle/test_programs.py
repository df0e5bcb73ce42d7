"""Programs of a bundle that this version does not write are named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from devices.backends.web.installation import WebPackages
from devices.registry import get_device
from export.bundle.manifest import BundleFile, Manifest, read_manifest
from export.bundle.programs import check_programs
from export.phone_examples import kotlin_example, swift_example
from export.registry import EXPORTERS
from export.source import Pictures

OWN = "the one that this version writes"
Judge = Callable[[str, bytes], list[str]]


@pytest.fixture
def judge(bundle: Path) -> Judge:
    """What is said of a file of this content."""
    manifest = read_manifest(bundle)

    def details(path: str, content: bytes) -> list[str]:
        entry = BundleFile(path=path, format="data", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        changed = manifest.model_copy(update={"files": (*manifest.models, entry)})
        return [check.detail for check in check_programs(changed, {path})]

    return details


@pytest.mark.parametrize("name", ["index.html", "page.css", "page.js", "network.js", "resample.js"])
def test_the_page(judge: Judge, name: str) -> None:
    content = files("export.web_page").joinpath(name).read_bytes()
    assert judge(f"web/{name}", content) == [OWN]
    for path, other in ((f"web/{name}", content + b" "), (name, content), ("web/index.html", b"")):
        assert judge(path, other) == [f"not {OWN}: read it before you run it"]


@pytest.mark.parametrize("name", ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"])
def test_the_runtime_of_the_page(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(WebPackages, "is_installed", lambda _: False)
    assert judge(f"web/runtime/{name}", b"ort") == [
        "not compared, since onnxruntime-web is not installed: latseg install web"
    ]
    assert judge("web/runtime/other.mjs", b"ort") == [f"not {OWN}: read it before you run it"]
    monkeypatch.setattr(WebPackages, "is_installed", lambda _: True)
    monkeypatch.setattr(WebPackages, "files", tmp_path)
    for each in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        (tmp_path / each).write_bytes(each.encode())
    assert judge(f"web/runtime/{name}", name.encode()) == [OWN]
    assert judge(f"web/runtime/{name}", b"ort") == [f"not {OWN}: read it before you run it"]


def test_examples_for_phones(judge: Judge, bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.input is not None
    pictures = Pictures(classes=manifest.classes, normalisation=manifest.input.normalisation)
    size = (manifest.input.height, manifest.input.width)
    swift = swift_example(pictures, size)
    for last in (False, True):
        assert judge("LiteRtSegmenter.kt", kotlin_example(pictures, size, channels_last=last).encode()) == [OWN]
    assert judge("CoreMlSegmenter.swift", swift.encode()) == [OWN]
    assert judge("CoreMlSegmenter.swift", swift.encode() + b"// more") != [OWN]
    assert judge("Other.kt", b"") == [f"not {OWN}: read it before you run it"]


def test_data_is_no_program(judge: Judge) -> None:
    assert judge("web/network.json", b"{}") == []
    assert judge("web/model.onnx", b"") == []


@pytest.mark.targets
@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("coreml", {"CoreMlSegmenter.swift"}),
        ("litert", {"LiteRtSegmenter.kt"}),
        ("web", {"web/index.html", "web/page.js", "web/runtime/ort-wasm-simd-threaded.wasm"}),
    ],
)
def test_what_is_written_is_known(make_bundle: Callable[..., Manifest], name: str, paths: set[str]) -> None:
    if not EXPORTERS.get(name)().availability().available:
        pytest.skip(f"needs `latseg install {name}`")
    manifest = make_bundle(formats=[name], get_device=get_device, certificates=())
    checks = list(check_programs(manifest, {file.path for file in manifest.files}))
    assert {f"program {path}" for path in paths} <= {check.name for check in checks}
    assert {check.detail for check in checks} == {OWN}
