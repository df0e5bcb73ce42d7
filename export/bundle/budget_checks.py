"""Whether the certificates of a bundle hold: against their own samples, and measured again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from devices.protocol import MeasurementProtocol
from export.bundle.certificate import Certificate
from export.bundle.certificate_checks import contradictions
from export.bundle.check import Check
from export.bundle.decision import Budget, decide
from export.bundle.machine_speed import KnownReference, scale_of
from export.bundle.manifest import BundleFile, Manifest, is_network
from export.exporter import GetDevice
from foundation.errors import DeviceUnavailableError, UserError


def check_certificates(manifest: Manifest) -> Iterator[Check]:
    """Each certificate against its own raw samples and against the files, and each budget that has none."""
    for refusal in manifest.refusals:
        yield Check("budget without certificate", False, refusal)
    if not manifest.certificates and not manifest.refusals:
        yield _without_certificate(manifest)
    files = {file.sha256: file for file in reversed(manifest.models)}  # ``model.onnx`` comes before its copies
    for certificate in manifest.certificates:
        name, faults = f"certificate for {certificate.device.name}", contradictions(certificate)
        file = files.get(certificate.model_sha256)
        if file is None:
            yield Check(name, False, "; ".join([*faults, "it is for a file that is not in the bundle"]))
            continue
        faults += _shape_faults(certificate, file, manifest)
        if not is_network(file):
            faults.append(f"it is for {file.path} ({file.format}), which is not compared with the architecture")
        yield Check(name, not faults, "; ".join(faults) or f"{file.path}: {certificate.statement}")


def _without_certificate(manifest: Manifest) -> Check:
    if manifest.architecture:
        return Check("certificate", False, "the bundle has none: no latency was measured")
    return Check("certificate", True, "none: no latency was promised for this ONNX file, and none was measured")


def _shape_faults(certificate: Certificate, file: BundleFile, manifest: Manifest) -> list[str]:
    """A smaller picture is faster: the certificate is for the size that the manifest names."""
    expected = tuple(shape for _, shape in _input_shapes(file, manifest))
    if certificate.input_shapes == expected or not certificate.own_procedure:
        return []
    return [f"it was measured with inputs {certificate.input_shapes}, the network takes {expected}"]


def _input_shapes(file: BundleFile, manifest: Manifest) -> tuple[tuple[str, tuple[int, ...]], ...]:
    layout = manifest.input
    if layout is None:
        return tuple((each.name, each.shape) for each in manifest.inputs)
    sides = layout.height, layout.width
    return ((layout.name, (1, *sides, 3) if file.input == "pixels" else (1, 3, *sides)),)


SIMULATED = "a simulated device certifies nothing: no run is timed"


@dataclass(frozen=True, slots=True)
class Remeasuring:
    """How budgets are measured again: on ``device``, or on each certificate's own if None."""

    get_device: GetDevice
    device: Device | None
    protocol: MeasurementProtocol
    seed: int
    known_reference: KnownReference
    wait_s: float = 0.0
    """How long a measurement waits for other programs to leave the machine."""


def check_budgets(
    folder: Path, manifest: Manifest, remeasuring: Remeasuring, *, intact: Collection[str]
) -> Iterator[Check]:
    """Measures the certified files again, except those that are not ``intact`` (paths whose content has its hash)."""
    device = remeasuring.device
    certificates = [c for c in manifest.certificates if device is None or c.device.name == device.name]
    if device is not None and not certificates:
        yield _without_budget(device)
    for certificate in certificates:
        name = f"budget on {certificate.device.name}"
        file = next((f for f in manifest.models if f.sha256 == certificate.model_sha256), None)
        if file is None or file.path not in intact:
            yield Check(name, False, "not measured: the certified file is missing or was changed")
            continue
        try:
            yield _budget(name, _candidate(folder, file, manifest), certificate, remeasuring)
        except DeviceUnavailableError as error:
            if device is not None:
                raise
            yield Check(name, False, str(error))
        except UserError as error:
            yield Check(name, False, str(error))


def _without_budget(device: Device) -> Check:
    detail = SIMULATED if device.info().simulated else "the bundle has no certificate, so no budget, for this device"
    return Check(f"budget on {device.name}", False, detail)


def _candidate(folder: Path, file: BundleFile, manifest: Manifest) -> Candidate:
    shapes = _input_shapes(file, manifest) if file.dynamic else ()
    return Candidate(label="bundle", path=folder / file.path, input_shapes=shapes)


def _budget(name: str, candidate: Candidate, certificate: Certificate, remeasuring: Remeasuring) -> Check:
    device = remeasuring.device or remeasuring.get_device(certificate.device.name, threads=certificate.device.threads)
    info = device.info()
    if info.simulated:
        return Check(name, False, SIMULATED)
    scale = scale_of(device, certificate, remeasuring.known_reference)
    same = info.fingerprint == certificate.device.fingerprint
    protocol = replace(remeasuring.protocol, normalise=certificate.normalised) if same else remeasuring.protocol

    def measure(attempt: int) -> Measurement | FailedMeasurement:
        (result,) = device.measure(
            [candidate], nominal_reference_ms=scale.nominal_ms, protocol=protocol, seed=remeasuring.seed + attempt
        )
        return result

    certified = f", certified at {certificate.latency_ms:.3f} ms"
    budget = Budget(certificate.budget_ms, certificate.model_sha256, certified)
    check = decide(name, budget, measure, device.other_load, wait_s=remeasuring.wait_s)
    return replace(check, detail=f"{scale.note}: {check.detail}") if scale.note else check
