from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from export.bundle.manifest import BundleFile, Manifest, ManifestError, Normalisation, read_manifest
from foundation.errors import UserError


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
