"""What a manifest says twice, or says about its files, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from export.bundle.certificate import Certificate
from export.bundle.manifest import FORMATS_WITHOUT_DEVICE, BundleFile, Manifest
from export.parity import Parity, worst

_COMPANIONS = frozenset({"data", "safetensors", "python", "markdown"})
"""Formats of files that no device runs."""


def manifest_faults(folder: Path, manifest: Manifest) -> list[str]:
    """What in ``manifest`` contradicts itself or the files in ``folder``; the content of models is not looked at."""
    faults = [*_quality_faults(manifest)]
    if len({file.format for file in manifest.models}) != len(manifest.models):
        faults.append("a format occurs twice")
    for file in manifest.files:
        faults += [f"{file.path} ({file.format}): {fault}" for fault in _file_faults(folder, file, manifest)]
    hashes = [certificate.model_sha256 for certificate in manifest.certificates]
    pairs = list(zip((c.device.name for c in manifest.certificates), hashes, strict=True))
    if len(set(pairs)) != len(pairs):
        faults.append("two certificates are for one file and one device")
    return faults


def measured_ms(file: BundleFile, certificates: Sequence[Certificate]) -> float | None:
    """Certified latency of the file on its device; one ONNX file serves several devices."""
    if file.parity_only:
        return None
    for certificate in certificates:
        if certificate.model_sha256 == file.sha256 and certificate.device.name == file.device:
            return certificate.latency_ms
    return None


def _quality_faults(manifest: Manifest) -> Iterator[str]:
    for score in manifest.quality:
        if not 0 <= score.value <= 1:
            yield f"quality {score.metric} is {score.value}, not 0 to 1"
    names = [(score.metric, score.data) for score in manifest.quality]
    if len(set(names)) != len(names):
        yield "a quality is given twice"


def _file_faults(folder: Path, file: BundleFile, manifest: Manifest) -> Iterator[str]:
    path = folder / file.path
    if path.is_file() and path.stat().st_size != file.bytes:
        yield f"has {path.stat().st_size:,} bytes, not {file.bytes:,}"
    expected = measured_ms(file, manifest.certificates)
    if file.measured_ms != expected:
        yield f"measured_ms is {file.measured_ms}, its certificate says {expected}"
    if (file.load_ms is None) == bool(file.compute_units):
        yield "its load time and its compute units belong together"
    if file.parity_only and (file.load_ms, file.peak_memory_mb) != (None, None):
        yield "its time or memory is that of a device that only checks it"
    yield from _format_faults(file)
    yield from _parity_faults(file, segments=manifest.input is not None)


def _format_faults(file: BundleFile) -> Iterator[str]:
    known = FORMATS_WITHOUT_DEVICE.get(file.format)
    if known is not None:
        usual = {"device": None, "parity_only": False, "input": "tensors", "dynamic": False, "precision": "float32"}
        for name, value in {**usual, **known}.items():
            if getattr(file, name) != value:
                yield f"{name} is {getattr(file, name)}, not {value}"
    elif file.device is None and (file.executed or file.input != "tensors" or file.dynamic or file.parity_only):
        yield "it is described as a model but no device runs it"
    if file.device is None and file.format not in _COMPANIONS:
        yield "no device runs a file of this format"
    if file.format == "markdown" and file.note:
        yield "the text for persons has no note"


def _parity_faults(file: BundleFile, *, segments: bool) -> Iterator[str]:
    """A model that was run has a parity, one that was not says so in its note and has none."""
    found = Parity(file.parity_max_abs, file.parity_mask_iou, file.exact)
    if not file.executed:
        if (found.max_abs, found.mask_iou) != (None, None):
            yield "it has a parity but was not executed"
        if file.device is not None and "not executed: " not in file.note:
            yield "it was not executed and its note does not say why"
        return
    yield from _size_faults(file, found)
    has = (found.max_abs is not None, found.mask_iou is not None)
    if has != (file.input == "tensors", segments):
        yield "its parity does not belong to its input"
    elif not found.ok or (found.max_abs or 0) < 0 or (found.mask_iou or 0) > 1:
        yield f"its parity is {found}"


def _size_faults(file: BundleFile, found: Parity) -> Iterator[str]:
    """Manifests of earlier versions have no parities by size."""
    sizes = [Parity(one.max_abs, one.mask_iou, file.exact) for one in file.parity_by_size]
    if sizes and not file.dynamic:
        yield "it has parities by size but is not dynamic"
    if len({(one.height, one.width) for one in file.parity_by_size}) < len(sizes):
        yield "it has the parity of one size twice"
    if sizes and worst(sizes) != found:
        yield "its parity is not the worst of its sizes"
