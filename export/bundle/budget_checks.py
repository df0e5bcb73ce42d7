"""Whether the certificates of a bundle hold: against their own samples, and measured again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from devices.protocol import MeasurementProtocol
from export.bundle.certificate import Certificate, contradictions
from export.bundle.check import Check
from export.bundle.manifest import BundleFile, Manifest
from export.exporter import GetDevice
from export.source import INPUT_NAME
from foundation.errors import DeviceUnavailableError, UserError


def check_certificates(manifest: Manifest) -> Iterator[Check]:
    """Each certificate against its own raw samples and against the files, and each budget that has none."""
    for refusal in manifest.refusals:
        yield Check("budget without certificate", False, refusal)
    if not manifest.certificates and not manifest.refusals:
        yield Check("certificate", False, "the bundle has none: no latency was measured")
    hashes = {file.sha256 for file in manifest.files}
    for certificate in manifest.certificates:
        faults = contradictions(certificate)
        if certificate.model_sha256 not in hashes:
            faults.append("it is for a file that is not in the bundle")
        yield Check(
            f"certificate for {certificate.device.name}", not faults, "; ".join(faults) or certificate.statement
        )


SIMULATED = "a simulated device certifies nothing: no run is timed"


@dataclass(frozen=True, slots=True)
class Remeasuring:
    """How budgets are measured again: on ``device``, or on each certificate's own if None."""

    get_device: GetDevice
    device: Device | None
    protocol: MeasurementProtocol
    seed: int


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
        file = next((f for f in manifest.files if f.sha256 == certificate.model_sha256), None)
        if file is None or file.path not in intact:
            yield Check(name, False, "not measured: the certified file is missing or was changed")
            continue
        try:
            yield _budget(name, _candidate(folder, file, certificate), certificate, remeasuring)
        except DeviceUnavailableError as error:
            if device is not None:
                raise
            yield Check(name, False, str(error))
        except UserError as error:
            yield Check(name, False, str(error))


def _without_budget(device: Device) -> Check:
    detail = SIMULATED if device.info().simulated else "the bundle has no certificate, so no budget, for this device"
    return Check(f"budget on {device.name}", False, detail)


def _candidate(folder: Path, file: BundleFile, certificate: Certificate) -> Candidate:
    shapes = tuple((INPUT_NAME, shape) for shape in certificate.input_shapes[:1])
    return Candidate(label="bundle", path=folder / file.path, input_shapes=shapes if file.dynamic else ())


def _budget(name: str, candidate: Candidate, certificate: Certificate, remeasuring: Remeasuring) -> Check:
    device = remeasuring.device or remeasuring.get_device(certificate.device.name, threads=certificate.device.threads)
    info = device.info()
    if info.simulated:
        return Check(name, False, SIMULATED)
    same = info.fingerprint == certificate.device.fingerprint
    nominal_ms = certificate.nominal_reference_ms if same else device.nominal_reference_ms()
    protocol = replace(remeasuring.protocol, normalise=certificate.normalised) if same else remeasuring.protocol
    (result,) = device.measure([candidate], nominal_reference_ms=nominal_ms, protocol=protocol, seed=remeasuring.seed)
    here = f"{info.hardware}, {info.runtime} {info.runtime_version}, threads: {info.threads}"
    return _compare(name, certificate, result, "" if same else f"another machine or set-up ({here}): ")


def _compare(name: str, certificate: Certificate, result: Measurement | FailedMeasurement, where: str) -> Check:
    if isinstance(result, FailedMeasurement):
        return Check(name, False, f"{where}{result.reason}")
    if result.model_sha256 != certificate.model_sha256:
        return Check(name, False, f"{where}another file was measured")
    low, high = result.interval_ms
    unsure = "" if result.converged else ", not converged"
    return Check(
        name,
        result.latency_ms <= certificate.budget_ms,
        f"{where}{result.latency_ms:.3f} ms ({low:.3f} to {high:.3f}{unsure}) "
        f"against a budget of {certificate.budget_ms:g} ms, certified at {certificate.latency_ms:.3f} ms",
    )
