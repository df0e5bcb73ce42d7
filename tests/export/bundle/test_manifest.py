from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image
from pydantic import ValidationError

from export.bundle.manifest import BundleFile, Manifest, ManifestError, Normalisation, read_manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from foundation.errors import UserError
from tests.export.conftest import runtime_device


def changed(folder: Path, **changes: object) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def test_survives_the_file(make_bundle: Callable[..., Manifest], tmp_path: Path) -> None:
    manifest = make_bundle()
    assert read_manifest(tmp_path / "bundle") == manifest
    assert manifest.architecture == {"space": "portrait", "stages": [1, 2]}


def test_newer_schema(bundle: Path) -> None:
    folder = changed(bundle, schema_version=2, something_new=True)
    with pytest.raises(UserError, match="schema version: got 2; expected at most 1; install the newer latseg"):
        read_manifest(folder)


@pytest.mark.parametrize(
    "changes",
    [{"schema_version": "one"}, {"schema_version": True}, {"classes": ["one"]}, {"files": []}, {"surprise": 1}],
)
def test_damaged_manifest(bundle: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        read_manifest(changed(bundle, **changes))


@pytest.mark.parametrize("name", ["files", "quality", "refusals", "classes"])
def test_more_entries_than_any_bundle_has(bundle: Path, name: str) -> None:
    """Each would be compared with each line of README.md."""
    entries = json.loads((bundle / "manifest.json").read_text())[name] or ["x"]
    with pytest.raises(ManifestError, match=f"{name}: Tuple should have at most 256"):
        read_manifest(changed(bundle, **{name: (entries * 257)[:257]}))


def test_an_input_that_fits_into_no_memory(bundle: Path) -> None:
    layout = json.loads((bundle / "manifest.json").read_text())["input"]
    with pytest.raises(ManifestError, match="more than 16,777,216 pixels"):
        read_manifest(changed(bundle, input={**layout, "height": 10**6, "width": 10**6}))


@pytest.mark.parametrize("key", ["task", "\x1b[2J"])
@pytest.mark.parametrize("text", ["\x1b[2J", "\x07", "\u009b2J", "\u202e"])
def test_texts_that_would_change_the_terminal(bundle: Path, key: str, text: str) -> None:
    with pytest.raises(ManifestError, match="control characters in a text") as error:
        read_manifest(changed(bundle, **{key: {"task": text} if key == "task" else "text"}))
    assert str(error.value).isprintable()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_not_a_manifest(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ManifestError):
        read_manifest(tmp_path)


@pytest.mark.parametrize("folder", ["missing", "."])
def test_no_bundle(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UserError, match=r"bundle: got .*; expected a folder with manifest\.json"):
        read_manifest(tmp_path / folder)


@pytest.mark.parametrize("path", ["../model.onnx", "/etc/passwd", "a/../../b", "", "..\\b"])
def test_files_lie_inside(path: str) -> None:
    with pytest.raises(ValidationError):
        BundleFile(path=path, format="onnx", sha256="0" * 64, bytes=1)


def test_format_that_is_not_there(make_bundle: Callable[..., Manifest]) -> None:
    with pytest.raises(UserError, match="format of the bundle: got onnx-uint8; expected markdown or onnx"):
        make_bundle().file("onnx-uint8")


def test_standard_deviation_is_positive() -> None:
    with pytest.raises(ValidationError):
        Normalisation(mean=(0, 0, 0), std=(1, 0, 1))


@pytest.fixture
def old_bundle(tmp_path: Path) -> Path:
    """A bundle as the first manifests described it: of a file only its format."""
    folder = tmp_path / "old"
    with ZipFile(Path(__file__).with_name("bundle_115e2da.zip")) as archive:
        archive.extractall(folder)
    return folder


def test_an_old_bundle_says_by_its_formats_how_files_are_checked(old_bundle: Path) -> None:
    manifest = read_manifest(old_bundle)
    assert [(file.format, file.device, file.input, file.dynamic) for file in manifest.models] == [
        ("onnx", "cpu", "tensors", False),
        ("onnx-dynamic", "cpu", "tensors", True),
        ("onnx-uint8", "cpu", "pixels", False),
        ("openvino", "openvino", "tensors", False),
    ]
    assert manifest.certificates[0].retry.startswith("the middle one of 3 measurements")


def test_an_old_bundle_verifies_and_segments(old_bundle: Path, tmp_path: Path) -> None:
    result = verify_bundle(old_bundle, get_device=runtime_device)
    assert result.ok, result.checks
    assert len([check for check in result.checks if check.name.startswith("parity of")]) == 4
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    output = Segmenter(old_bundle).segment_file(tmp_path / "red.png", tmp_path)
    assert (output.height, output.width) == (20, 30)


def test_keys_of_the_file_stay(old_bundle: Path, make_bundle: Callable[..., Manifest], tmp_path: Path) -> None:
    make_bundle()
    new, old = (json.loads((folder / "manifest.json").read_text()) for folder in (tmp_path / "bundle", old_bundle))
    assert new["schema_version"] == old["schema_version"]
    assert old.keys() <= new.keys()
    for part in ("input", "files", "certificates", "quality"):
        first, second = (document[part] if part == "input" else document[part][0] for document in (old, new))
        assert first.keys() <= second.keys()
