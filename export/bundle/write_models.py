"""The model files of a bundle; those of lower precision only where they are faster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devices.device import Candidate, Device
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import COMPILED_TARGETS
from export.bundle.manifest import BundleFile
from export.bundle.write_model import ParityError, write_model
from export.exporter import Exporter, GetDevice
from export.parity import MASK_IOU_TOLERANCE, Example
from export.source import Source

_FULL, _REDUCED = "float32", "reduced"


def write_models(
    exporters: Sequence[Exporter], source: Source, folder: Path, examples: Sequence[Example], get_device: GetDevice
) -> tuple[list[BundleFile], list[str]]:
    """Writes and checks the file of each exporter, ``model.onnx`` first.

    A file of lower precision is measured beside ``model.onnx``, both in turns. It is kept where its masks agree and it
    is faster (their 95 % intervals are apart), or the user forces it.

    Returns:
        The files, and for each that was left out the reason.

    Raises:
        UserError: see ``write_model``.
    """
    models: list[BundleFile] = []
    left_out: list[str] = []
    for exporter in exporters:
        if exporter.precision == "float32" or exporter.device in COMPILED_TARGETS.names:  # there nothing is measured
            models.append(write_model(exporter, source, folder, examples, get_device))
            continue
        before = _files(folder)
        found = _reduced(exporter, source, folder, examples, get_device)
        if isinstance(found, BundleFile):
            models.append(found)
        else:
            for path in _files(folder) - before:
                path.unlink()
            left_out.append(f"{exporter.format} {found}")
    return models, left_out


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def _reduced(
    exporter: Exporter, source: Source, folder: Path, examples: Sequence[Example], get_device: GetDevice
) -> BundleFile | str:
    """The file, or why it is left out."""
    try:
        file = write_model(exporter, source, folder, examples, get_device)
    except ParityError as error:
        return f"has a {error.seen}; masks must agree to {MASK_IOU_TOLERANCE:g}"
    if not file.executed:
        return "cannot be measured here"
    pair = _measured(get_device(exporter.device), folder / "model.onnx", folder / file.path)
    if isinstance(pair, str):
        return pair
    full, reduced = pair
    size = file.bytes / (folder / "model.onnx").stat().st_size
    words = f"{reduced.latency_ms / full.latency_ms:.2f} times the time and {size:.2f} times the bytes of model.onnx"
    if reduced.interval_ms[1] < full.interval_ms[0] or exporter.force:
        return file.model_copy(update={"note": f"{file.note}; {words}"})
    return f"takes {words}"


def _measured(device: Device, full: Path, reduced: Path) -> tuple[Measurement, Measurement] | str:
    """Both files, timed in turns, in parts of the time of the reference net; or why they cannot be measured."""
    candidates = [Candidate(_FULL, full), Candidate(_REDUCED, reduced)]
    protocol = MeasurementProtocol(profile_runs=0)
    found = {one.label: one for one in device.measure(candidates, nominal_reference_ms=1.0, protocol=protocol)}
    first, second = found[_FULL], found[_REDUCED]
    if isinstance(first, Measurement) and isinstance(second, Measurement):
        return first, second
    return "cannot be measured: " + next(str(one.reason) for one in found.values() if not isinstance(one, Measurement))
