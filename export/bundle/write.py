"""The folder that a user deploys. Importing this module loads torch."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import JsonValue
from torch import nn

from devices.model_file import sha256_of
from devices.registry import get_device
from export.bundle.certificate import Certificate
from export.bundle.formats import FORMATS, Source, check_formats, write_format
from export.bundle.manifest import (
    MANIFEST_NAME,
    BundleFile,
    InputLayout,
    Manifest,
    Normalisation,
    Quality,
    ResizePolicy,
    write_manifest,
)
from export.bundle.parity_sample import ParitySample, smooth_picture, write_sample
from export.bundle.preprocess import Pixels, fit, normalise, place
from export.bundle.swapped_folder import swapped_folder
from export.bundle.texts import readme, segment_script
from export.device_lookup import GetDevice
from export.parity import reference_logits
from foundation.errors import UserError

_VERSIONS_OF = ("latseg", "torch", "onnx", "onnxruntime", "openvino", "numpy")


def write_bundle(
    folder: Path,
    module: nn.Module,
    *,
    architecture: Mapping[str, JsonValue],
    parameters: int,
    height: int,
    width: int,
    classes: Sequence[str],
    normalisation: Normalisation,
    quality: Sequence[Quality] = (),
    certificates: Sequence[Certificate] = (),
    refusals: Sequence[str] = (),
    formats: Sequence[str] = ("onnx",),
    model_path: Path | None = None,
    resize_policy: ResizePolicy = "letterbox",
    photographs: Sequence[Pixels] = (),
    reproduce: str = "",
    opset: int = 17,
    seed: int = 0,
    get_device: GetDevice = get_device,
) -> Manifest:
    """Writes a bundle, whole or not at all; an existing bundle is replaced when the new one is complete.

    Every model file is run beside torch on noise, on a smooth picture and on ``photographs`` before it is accepted.

    Args:
        folder: new, empty, or an earlier bundle.
        module: the network; float32 1 x 3 x height x width to logits.
        architecture: the architecture as JSON.
        parameters: number of trainable parameters.
        height: of the network's input.
        width: of the network's input.
        classes: names by class number, the background first.
        normalisation: of the float input.
        quality: scores and the data that they were reached on.
        certificates: each for one of the bundle's model files, found by SHA-256.
        refusals: budgets that were asked for and not proven, one line each; the bundle says so and does not verify.
        formats: any of ``export.bundle.formats.FORMATS``.
        model_path: the already exported and measured ``model.onnx``, copied byte for byte; exported anew if None.
        resize_policy: how pictures of another size are brought to height x width.
        photographs: height x width x 3 of any size, for the parity check only; they do not enter the bundle.
        reproduce: the command that makes this bundle.
        opset: of the ONNX files that are exported anew.
        seed: of the parity pictures.
        get_device: gives the device by name that runs a format.

    Raises:
        UserError: unknown format, parity lost, a certificate for another file, or a folder that cannot be written.
    """
    source = Source(
        module=module,
        height=height,
        width=width,
        normalisation=normalisation,
        photographs=tuple(_fitted(photo, height, width, resize_policy, normalisation) for photo in photographs),
        seed=seed,
        opset=opset,
    )
    write_model = partial(write_format, source=source, model_path=model_path, get_device=get_device)
    names = check_formats(formats)
    with _writing(Path(folder)) as fresh:
        models = [write_model(name, fresh) for name in names]
        manifest = Manifest(
            architecture=dict(architecture),
            parameters=parameters,
            input=InputLayout(height=height, width=width, normalisation=normalisation, resize_policy=resize_policy),
            classes=tuple(classes),
            quality=tuple(quality),
            certificates=tuple(certificates),
            refusals=tuple(refusals),
            files=tuple(_with_latency(models, certificates)),
            reproduce=reproduce,
            versions=_versions(),
        )
        manifest = _with_companions(manifest, fresh, source)
        write_manifest(fresh, manifest)
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


def _fitted(photo: Pixels, height: int, width: int, policy: ResizePolicy, normalisation: Normalisation) -> Pixels:
    photo_height, photo_width, _ = photo.shape
    placement = place(photo_height, photo_width, height, width, policy)
    return fit(photo, placement, height, width, normalisation.mean)


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
    return [model.model_copy(update={"measured_ms": _latency(model, certificates)}) for model in models]


def _latency(model: BundleFile, certificates: Sequence[Certificate]) -> float | None:
    """Certified latency of the file on the runtime of its format; one ONNX file serves several runtimes."""
    runtime = FORMATS[model.format].runtime
    for certificate in certificates:
        if certificate.model_sha256 == model.sha256 and certificate.device.name == runtime:
            return certificate.latency_ms
    return None


def _with_companions(manifest: Manifest, folder: Path, source: Source) -> Manifest:
    """Adds the parity sample, ``segment.py`` and ``README.md``; the last one tells of the others."""
    picture = smooth_picture(source.height, source.width, source.seed)
    image = normalise(picture, source.normalisation.mean, source.normalisation.std)
    sample = write_sample(folder, ParitySample(picture[None], reference_logits(source.module, image)))
    manifest = _with_file(manifest, sample, "safetensors", "a picture and torch's logits for it, for `latseg verify`")
    script = folder / "segment.py"
    script.write_text(segment_script(), encoding="utf-8")
    manifest = _with_file(manifest, script, "python", "runs the network on pictures")
    text = folder / "README.md"
    text.write_text(readme(manifest), encoding="utf-8")
    return _with_file(manifest, text, "markdown", "")


def _with_file(manifest: Manifest, path: Path, file_format: str, note: str) -> Manifest:
    entry = BundleFile(path=path.name, format=file_format, sha256=sha256_of(path), bytes=path.stat().st_size, note=note)
    return manifest.model_copy(update={"files": (*manifest.files, entry)})


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
