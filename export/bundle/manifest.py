"""What stands in a bundle's ``manifest.json``."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from export.bundle.certificate import Certificate
from foundation.errors import UserError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"

ResizePolicy = Literal["letterbox", "resize"]
Triple = tuple[float, float, float]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Side = Annotated[int, Field(ge=1)]


class ManifestError(UserError):
    """A manifest that is there but damaged."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Normalisation(_Record):
    """The float input is (x - mean) / std with x in 0..1; channels red, green, blue."""

    mean: Triple
    std: Triple

    @field_validator("std")
    @classmethod
    def _positive(cls, std: Triple) -> Triple:
        if min(std) <= 0:
            raise ValueError("standard deviations are positive")
        return std


class InputLayout(_Record):
    """The input of ``model.onnx``."""

    name: str = "image"
    dtype: Literal["float32"] = "float32"
    layout: Literal["NCHW"] = "NCHW"
    channels: Literal["RGB"] = "RGB"
    height: Side
    width: Side
    normalisation: Normalisation
    resize_policy: ResizePolicy
    """How a picture of another size is brought to height x width."""


class Quality(_Record):
    """One score and the data that it was reached on."""

    metric: str
    value: float
    data: str


class BundleFile(_Record):
    """One file of the bundle, or one runtime that reads a file of the bundle.

    ``executed`` says whether the file was run when the bundle was written; the parity fields are None where it was
    not, and ``note`` says why. ``measured_ms`` is the certified latency of exactly this file.
    """

    path: str
    format: str
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    parity_max_abs: float | None = None
    parity_mask_iou: float | None = None
    measured_ms: float | None = None
    executed: bool = False
    note: str = ""

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\\" in path or not parts.parts:
            raise ValueError("a file of the bundle lies inside the bundle")
        return path


class Manifest(_Record):
    """Everything that there is to know about a bundle."""

    schema_version: int = SCHEMA_VERSION
    architecture: dict[str, JsonValue]
    parameters: Annotated[int, Field(ge=0)]
    input: InputLayout
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    """Names by class number; the first one is the background."""
    quality: tuple[Quality, ...]
    certificates: tuple[Certificate, ...]
    refusals: tuple[str, ...] = ()
    """Budgets that were asked for and not proven, one line each: the bundle does not hold while there is one."""
    files: Annotated[tuple[BundleFile, ...], Field(min_length=1)]
    reproduce: str
    """Commands that make this bundle again; RUN stands for the run that the search then prints."""
    versions: dict[str, str]

    def file(self, file_format: str) -> BundleFile:
        """The file of a format, e.g. ``onnx``.

        Raises:
            UserError: the bundle has none.
        """
        for file in self.files:
            if file.format == file_format:
                return file
        raise UserError(
            "format of the bundle",
            seen=file_format,
            expected=" or ".join(sorted({file.format for file in self.files})),
            remedy="export it again with that format",
        )


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Writes ``manifest.json`` into ``folder``."""
    path = folder / MANIFEST_NAME
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the bundle in ``folder``.

    Raises:
        ManifestError: damaged.
        UserError: no bundle, or a manifest of a newer schema.
    """
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            "bundle", seen=folder, expected=f"a folder with {MANIFEST_NAME}", remedy="name the folder that export wrote"
        ) from error
    except ValueError as error:  # neither UTF-8 nor JSON
        raise _unreadable(path, str(error)) from error
    _check_schema(path, content)
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        raise _unreadable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _check_schema(path: Path, content: object) -> None:
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise _unreadable(path, "no schema_version")
    if schema > SCHEMA_VERSION:
        raise UserError(
            "bundle's schema version",
            seen=schema,
            expected=f"at most {SCHEMA_VERSION}",
            remedy="install the newer latseg that wrote it",
        )


def _unreadable(path: Path, reason: str) -> ManifestError:
    return ManifestError(
        f"manifest {path}", seen=reason, expected="a manifest that export wrote", remedy="export it again"
    )
