"""Whether a bundle still is what was exported, computes what it computed and keeps its budget on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from devices.device import Device
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from export.bundle.budget_checks import Remeasuring, check_budgets, check_certificates
from export.bundle.check import Check, VerifyResult
from export.bundle.file_checks import check_files
from export.bundle.manifest import BundleFile, Manifest, ManifestError, read_manifest
from export.bundle.parity_checks import check_parities
from export.device_lookup import GetDevice


def verify_bundle(
    folder: Path,
    *,
    device: Device | None = None,
    measure: bool = True,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
    get_device: GetDevice = get_device,
    on_check: Callable[[Check], None] | None = None,
) -> VerifyResult:
    """Checks hashes, missing and extra files, parity with torch's stored answer, certificates, and the budgets.

    Needs no torch. A changed file is not run. A budget is kept when the newly measured ``latency_ms`` is within it: the
    margin of the certificate (interval and noise floor) is what a new measurement may use up. On the machine of the
    certificate the new measurement is normalised with the certificate's ``nominal_reference_ms``, elsewhere afresh.

    Args:
        folder: the bundle.
        device: where to run and to measure; each certificate's own device if None.
        measure: False leaves the budgets out.
        protocol: of the new measurement.
        seed: of the new measurement.
        get_device: gives a device by name.
        on_check: told of every check as it is done.

    Raises:
        UserError: ``folder`` holds no manifest at all, or one of a newer schema.
        DeviceUnavailableError: ``device`` cannot be used here.
    """
    if device is not None:
        device.info()
    try:
        manifest = read_manifest(folder)
    except ManifestError as error:
        return VerifyResult((Check("manifest", False, str(error)),))
    remeasuring = Remeasuring(get_device, device, protocol or MeasurementProtocol(), seed)
    checks = []
    for check in _steps(folder, manifest, remeasuring, measure=measure):
        checks.append(check)
        if on_check:
            on_check(check)
    return VerifyResult(tuple(checks))


def _steps(folder: Path, manifest: Manifest, remeasuring: Remeasuring, *, measure: bool) -> Iterator[Check]:
    yield Check("manifest", True, f"schema version {manifest.schema_version}, {manifest.parameters:,} parameters")
    files = check_files(folder, manifest)
    yield from files.checks

    def runner(file: BundleFile) -> Device:
        return remeasuring.get_device("openvino" if file.format == "openvino" else "cpu")

    yield from check_parities(folder, manifest, intact=files.intact, runner=runner)
    yield from check_certificates(manifest)
    if measure:
        yield from check_budgets(folder, manifest, remeasuring, intact=files.intact)
