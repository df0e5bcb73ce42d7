"""The content of a bundle's ``manifest.json``."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from export.bundle.certificate import Certificate
from export.bundle.pipeline import Pipeline
from foundation.errors import UserError
from foundation.regular_file import RefusedFileError, read_json

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
MANIFEST_BYTES = 4 * 2**20
"""Most bytes of a manifest; one with a dozen certificates has about 100 kB."""
_MOST = 256
"""Entries of a kind; each is compared with every line of ``README.md``, and each certificate is measured."""
_MOST_PIXELS = 2**24
"""Of a network's input; a picture of that size is made before the model is asked."""
_REASON_LENGTH = 300
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They change the order in which a text is shown."""

ResizePolicy = Literal["letterbox", "resize"]
Triple = tuple[float, float, float]
InputKind = Literal["tensors", "pixels"]
"""What a model file takes: the network's own inputs (pictures: normalised, float32 1 x 3 x height x width), or uint8
pictures, 1 x height x width x 3; the latter returns class numbers."""
Precision = Literal["float32", "float16", "bfloat16", "int8", "w8a16"]
"""``w8a16``: weights of 8 bits, activations of 16."""
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

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        if self.height * self.width > _MOST_PIXELS:
            raise ValueError(f"an input of more than {_MOST_PIXELS:,} pixels")
        return self


class TensorLayout(_Record):
    """One input of a network that does not segment pictures."""

    name: str
    dtype: str
    shape: tuple[Side, ...]


class Quality(_Record):
    """One score and the data that it was reached on."""

    metric: str
    value: float
    data: str


class SizeParity(_Record):
    """Parity of a file on pictures of one size."""

    height: Side
    width: Side
    max_abs: float | None
    mask_iou: float | None


FORMATS_WITHOUT_DEVICE: Mapping[str, Mapping[str, object]] = {
    "onnx": {"device": "cpu"},
    "onnx-dynamic": {"device": "cpu", "dynamic": True},
    "onnx-uint8": {"device": "cpu", "input": "pixels"},
    "openvino": {"device": "openvino"},
}
"""What the formats of this package imply; the first manifests named only the format of a model file."""


NAME_BYTES = 255
"""Most bytes of a file's name on the usual file systems."""


class BundleFile(_Record):
    """One file of the bundle, or one runtime that reads a file of the bundle.

    ``executed`` says whether the file was run when the bundle was written; the parity fields are None where it was
    not, and ``note`` says why. ``measured_ms`` is the certified latency of exactly this file on ``device``.
    ``load_ms``, ``peak_memory_mb`` and ``compute_units`` are those of ``devices.footprint.Footprint``, where it was
    exported.
    """

    path: str
    format: str
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    parity_max_abs: float | None = None
    parity_mask_iou: float | None = None
    measured_ms: float | None = None
    load_ms: float | None = None
    peak_memory_mb: float | None = None
    compute_units: tuple[str, ...] = ()
    executed: bool = False
    note: str = ""
    device: str | None = None
    """Name of the device that runs the file and checks its parity; None for files that are not models."""
    parity_only: bool = False
    """Whether the file is for other hardware; then times and memory of ``device`` are left out."""
    input: InputKind = "tensors"
    dynamic: bool = False
    """Whether a model takes pictures of other heights and widths."""
    parity_by_size: Annotated[tuple[SizeParity, ...], Field(max_length=_MOST)] = ()
    """Of a dynamic file; its parity as a whole is the worst of these."""
    precision: Precision = "float32"
    """In which a model computes; below float32 it is compared by its masks alone."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        return {**FORMATS_WITHOUT_DEVICE.get(str(values.get("format")), {}), **values}

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\\" in path or not parts.parts:
            raise ValueError("a file of the bundle lies inside the bundle")
        if not path.isprintable() or parts.as_posix() != path or any(len(p.encode()) > NAME_BYTES for p in parts.parts):
            raise ValueError("not the plain name of a file")
        return path

    @property
    def exact(self) -> bool:
        """Whether its outputs, and not only its masks, are those of the network."""
        return self.precision == "float32"


def is_network(file: BundleFile) -> bool:
    """Whether it is an ONNX file of the network itself, which can be compared with its architecture."""
    return file.format in FORMATS_WITHOUT_DEVICE and file.input == "tensors"


class Manifest(_Record):
    """Everything that is known about a bundle."""

    schema_version: Annotated[int, Field(ge=1)] = SCHEMA_VERSION
    architecture: dict[str, JsonValue]
    """Empty where the bundle was made of an ONNX file of unknown origin, for which no latency need be promised."""
    parameters: Annotated[int, Field(ge=0)]
    input: InputLayout | None = None
    """The picture that a segmentation network takes; None for another network, which has ``inputs``."""
    inputs: Annotated[tuple[TensorLayout, ...], Field(max_length=_MOST)] = ()
    classes: Annotated[tuple[str, ...], Field(max_length=_MOST)] = ()
    """Names by class number of a segmentation network; the first one is the background."""
    task: dict[str, JsonValue] = {}
    """What else is known about the network (``export.source.Source.description``)."""
    quality: Annotated[tuple[Quality, ...], Field(max_length=_MOST)]
    certificates: Annotated[tuple[Certificate, ...], Field(max_length=_MOST)]
    refusals: Annotated[tuple[str, ...], Field(max_length=_MOST)] = ()
    """Budgets that the measurements did not certify, one line each; ``verify`` fails while there is one."""
    pipeline: Pipeline | None = None
    """Times from the file of a picture to its mask; None where they were not taken."""
    files: Annotated[tuple[BundleFile, ...], Field(min_length=1, max_length=_MOST)]
    left_out: Annotated[tuple[str, ...], Field(max_length=_MOST)] = ()
    """Formats that were asked for and not written, with the reason, one line each."""
    reproduce: str
    """Commands that make this bundle again; RUN stands for the run that the search then prints."""
    versions: dict[str, str]

    @model_validator(mode="after")
    def _segments_or_not(self) -> Self:
        if self.input is None and not self.inputs:
            raise ValueError("there is no input")
        if self.input is not None and len(self.classes) < 2:
            raise ValueError("a segmentation network has at least two classes")
        return self

    @property
    def models(self) -> tuple[BundleFile, ...]:
        """The files that a device runs."""
        return tuple(file for file in self.files if file.device is not None)

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
    path.write_text(manifest.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    return path


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the bundle in ``folder``.

    Raises:
        ManifestError: damaged.
        UserError: no bundle, or a manifest of a newer schema.
    """
    path = folder / MANIFEST_NAME
    try:
        content = read_json(path, limit=MANIFEST_BYTES, follow_links=False)
    except RefusedFileError as error:
        raise _unreadable(path, str(error.strerror)) from error
    except OSError as error:
        raise UserError(
            "bundle", seen=folder, expected=f"a folder with {MANIFEST_NAME}", remedy="name the folder that export wrote"
        ) from error
    except ValueError as error:  # neither UTF-8 nor JSON, or nested too deeply
        raise _unreadable(path, str(error)) from error
    _check_schema(path, content)
    try:
        if not _plain(content):
            raise _unreadable(path, "control characters in a text")
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _unreadable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:_REASON_LENGTH]) from error
    except RecursionError as error:
        raise _unreadable(path, "nested too deeply") from error


def _plain(value: object) -> bool:
    """Whether no text holds control characters: with them a file could write to a terminal whatever it likes."""
    if isinstance(value, str):
        return not any(
            unicodedata.category(each) in ("Cc", "Cs") or each in _DIRECTIONS for each in value if each != "\n"
        )
    if isinstance(value, dict):
        return all(_plain(key) and _plain(one) for key, one in value.items())
    return all(map(_plain, value)) if isinstance(value, list) else True


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
