"""The folder that a user deploys. Importing this module loads torch."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from devices.model_file import sha256_of
from devices.registry import get_device
from export.bundle.certificate import Certificate
from export.bundle.examples import make_examples, write_example
from export.bundle.manifest import (
    MANIFEST_NAME,
    BundleFile,
    Manifest,
    Quality,
    TensorLayout,
    write_manifest,
)
from export.bundle.manifest_checks import measured_ms
from export.bundle.pipeline_times import pipeline_times
from export.bundle.signature import check_signing
from export.bundle.signature import sign as sign_bundle
from export.bundle.swapped_folder import swapped_folder
from export.bundle.texts import readme, segment_script
from export.bundle.write_models import write_models
from export.exporter import Exporter, GetDevice
from export.parity import Example
from export.registry import get_exporters
from export.source import Pictures, Source
from foundation.errors import UserError

_VERSIONS_OF = ("latseg", "torch", "onnx", "onnxruntime", "openvino", "mnn", "ncnn", "pnnx", "ai-edge-litert", "numpy")


def write_bundle(
    folder: Path,
    source: Source,
    *,
    architecture: Mapping[str, JsonValue],
    parameters: int,
    quality: Sequence[Quality] = (),
    certificates: Sequence[Certificate] = (),
    refusals: Sequence[str] = (),
    formats: Sequence[str] = ("onnx",),
    reproduce: str = "",
    sign: Path | None = None,
    time_pipeline: bool = False,
    get_device: GetDevice = get_device,
) -> Manifest:
    """Writes a bundle, whole or not at all; an existing bundle is replaced when the new one is complete.

    Every model file whose device is here is run and compared with torch before it is accepted: a segmentation network
    on noise, on a smooth picture and on the photographs of ``source``, another network on its example inputs. The note
    of any other one says that it was not executed.

    Args:
        folder: new, empty, or an earlier bundle.
        source: the network and what is known about it.
        architecture: the architecture as JSON; empty for an ONNX file of unknown origin.
        parameters: number of trainable parameters.
        quality: scores and the data on which they were reached.
        certificates: each for one of the bundle's model files, found by SHA-256.
        refusals: budgets that the measurements did not certify, one line each; the bundle says so and does not verify.
        formats: names in ``export.registry.EXPORTERS``, each with its options.
        reproduce: the command that makes this bundle.
        time_pipeline: whether the bundle says how long its script takes from a picture's file to the mask.
        sign: file of the SSH key that signs the bundle; None leaves it unsigned.
        get_device: returns the device of a name.

    Raises:
        UserError: unknown format, no parity, a certificate for another file, a folder that cannot be written, or
            a key that does not sign.
    """
    if sign is not None:
        check_signing(sign)
    exporters = get_exporters(formats)
    examples = make_examples(source, dynamic=any(exporter.dynamic for exporter in exporters))
    with _writing(Path(folder)) as fresh:
        models, left_out = write_models(exporters, source, fresh, examples, get_device)
        manifest = Manifest(
            architecture=dict(architecture),
            parameters=parameters,
            **_manifest_input(source),
            quality=tuple(quality),
            certificates=tuple(certificates),
            refusals=tuple(refusals),
            files=tuple(_with_latency(models, certificates)),
            left_out=tuple(left_out),
            reproduce=reproduce,
            versions=_versions(exporters),
        )
        manifest = _with_companions(manifest, fresh, examples[0])
        if time_pipeline and manifest.input is not None:
            manifest = _with_pipeline(manifest, fresh)
        manifest = _with_readme(manifest, fresh)
        write_manifest(fresh, manifest)
        if sign is not None:
            sign_bundle(fresh, sign)
    return manifest


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    try:
        with swapped_folder(folder, marker=MANIFEST_NAME) as fresh:
            yield fresh
    except OSError as error:
        raise UserError(
            "bundle folder",
            seen=f"{folder} ({error.strerror or error})",
            expected="a folder that can be written",
            remedy="free space or name another folder",
        ) from error


def _manifest_input(source: Source) -> dict[str, Any]:
    pictures = source.pictures
    if pictures is None:
        layouts = [
            TensorLayout(name=name, dtype=str(tensor.dtype).removeprefix("torch."), shape=tuple(tensor.shape))
            for name, tensor in source.inputs.items()
        ]
        return {"inputs": tuple(layouts), "task": dict(source.description)}
    more = {key: value for key, value in source.description.items() if key not in Pictures.model_fields}
    return {"input": source.layout, "classes": pictures.classes, "task": more}


def _with_latency(models: Sequence[BundleFile], certificates: Sequence[Certificate]) -> list[BundleFile]:
    hashes = {model.sha256 for model in models}
    for certificate in certificates:
        if certificate.model_sha256 not in hashes:
            raise UserError(
                "certificate",
                seen=f"one for a file with SHA-256 {certificate.model_sha256[:12]}…",
                expected=f"one for {' or '.join(f'{m.path} ({m.sha256[:12]}…)' for m in models)}",
                remedy="put the file that was measured into the bundle",
            )
    return [model.model_copy(update={"measured_ms": measured_ms(model, certificates)}) for model in models]


def _with_companions(manifest: Manifest, folder: Path, example: Example) -> Manifest:
    """Adds what exporters wrote beside their files, the parity example, and ``segment.py``."""
    models = {file.path for file in manifest.files}
    parts = sorted(path for path in folder.rglob("*") if path.is_file())
    for part in parts:
        if part.relative_to(folder).as_posix() not in models:
            manifest = _with_file(manifest, folder, part, "data", "part of a model")
    path = write_example(folder, example)
    manifest = _with_file(manifest, folder, path, "safetensors", "inputs and expected outputs, for `latseg verify`")
    if manifest.input is not None:
        script = folder / "segment.py"
        script.write_text(segment_script(), encoding="utf-8")
        manifest = _with_file(manifest, folder, script, "python", "runs the network on pictures")
    return manifest


def _with_pipeline(manifest: Manifest, folder: Path) -> Manifest:
    write_manifest(folder, manifest)  # the script reads it
    threads = next((one.device.threads for one in manifest.certificates), 1)
    return manifest.model_copy(update={"pipeline": pipeline_times(folder, threads)})


def _with_readme(manifest: Manifest, folder: Path) -> Manifest:
    text = folder / "README.md"
    text.write_text(readme(manifest), encoding="utf-8")
    return _with_file(manifest, folder, text, "markdown", "")


def _with_file(manifest: Manifest, folder: Path, path: Path, file_format: str, note: str) -> Manifest:
    entry = BundleFile(
        path=path.relative_to(folder).as_posix(),
        format=file_format,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        note=note,
    )
    return manifest.model_copy(update={"files": (*manifest.files, entry)})


def _versions(exporters: Sequence[Exporter]) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    for package in (package for exporter in exporters for package in exporter.packages):
        name, number = re.split("==|(?<=.)@", package)
        versions.setdefault(name, number)
    return versions
