"""Whether a bundle still is what was exported, computes what it computed and keeps its budget on a device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path

from devices.device import Device
from devices.protocol import MeasurementProtocol
from devices.registry import get_device_here
from devices.target import RunningTarget
from export.bundle.budget_checks import Remeasuring, check_budgets, check_certificates
from export.bundle.bundle_files import changed, paths_in, strangers
from export.bundle.check import Check, VerifyResult
from export.bundle.content_checks import ArchitectureCheck, check_content
from export.bundle.examples import EXAMPLE_NAME, read_example
from export.bundle.machine_speed import KnownReference
from export.bundle.manifest import MANIFEST_NAME, Manifest, ManifestError, read_manifest
from export.bundle.signature import SIGNATURE_NAME, Signer, check_signature
from export.exporter import GetDevice
from export.parity import check_parity
from export.runner import runner_of
from foundation.errors import UserError

_logger = logging.getLogger(__name__)


def verify_bundle(
    folder: Path,
    *,
    device: Device | None = None,
    measure: bool = True,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
    wait_s: float = 0.0,
    signer: Signer | None = None,
    get_device: GetDevice = get_device_here,
    known_reference: KnownReference = lambda _: None,
    check_architecture: ArchitectureCheck | None = None,
    on_check: Callable[[Check], None] | None = None,
) -> VerifyResult:
    """Checks a bundle that may come from anywhere: files, what the manifest says about them, certificates, budgets.

    Needs no torch. A changed file is not run. Whatever follows from the files, from raw samples or from another part of
    the manifest is derived and compared. A budget is kept when the newly measured ``latency_ms`` is within it: the
    margin of the certificate (interval and noise floor) is what a new measurement may use up. Where it is not, and
    other programs used the machine, the check is ``undecided`` (``decision.py``). The scale of the new
    measurement is this machine's own (``machine_speed.py``).

    Args:
        folder: the bundle.
        device: measures the budgets; each certificate's own device if None.
        measure: False leaves the budgets out.
        protocol: of the new measurement.
        seed: of the new measurement.
        wait_s: how long to wait for other programs to leave the machine before a measurement.
        signer: who must have signed the manifest; None looks at no signature.
        get_device: returns the device of a name in the bundle; never one of another machine.
        known_reference: the reference time of a device that is known on this machine; measured anew where it is not.
        check_architecture: compares the manifest's architecture with the model file.
        on_check: called after every check.

    Raises:
        UserError: ``folder`` holds no manifest at all, or one of a newer schema.
        UserError: ``signer`` is given and ssh-keygen is not installed.
        DeviceUnavailableError: ``device`` cannot be used here.
    """
    if device is not None:
        device.info()
    try:
        manifest = read_manifest(folder)
    except ManifestError as error:
        return VerifyResult((Check("manifest", False, str(error)),))
    remeasuring = Remeasuring(get_device, device, protocol or MeasurementProtocol(), seed, known_reference, wait_s)
    checks = []
    signature = [] if signer is None else [check_signature(folder, signer)]
    steps = _steps(folder, manifest, remeasuring, check_architecture, measure=measure)
    for check in chain(signature, steps):
        _logger.info("%s: %s, %s", check.name, "ok" if check.ok else "FAILED", check.detail)
        checks.append(check)
        if on_check:
            on_check(check)
    return VerifyResult(tuple(checks))


def _steps(
    folder: Path,
    manifest: Manifest,
    remeasuring: Remeasuring,
    check_architecture: ArchitectureCheck | None,
    *,
    measure: bool,
) -> Iterator[Check]:
    yield Check("manifest", True, f"schema version {manifest.schema_version}, {manifest.parameters:,} parameters")
    expected = {file.path: file for file in manifest.files}
    present = paths_in(folder)
    yield _listing(set(expected), present - {MANIFEST_NAME, SIGNATURE_NAME}, signed=SIGNATURE_NAME in present)
    intact = set()
    for path, file in expected.items():
        if path in present:
            fault = changed(folder, file)
            intact |= set() if fault else {path}
            yield Check(f"hash of {path}", not fault, fault or f"SHA-256 {file.sha256[:12]}…")
    yield from check_content(folder, manifest, intact, check_architecture)
    yield from _parities(folder, manifest, intact, remeasuring.get_device)
    yield from check_certificates(manifest)
    if manifest.pipeline is not None:
        yield Check("pipeline (as measured at export)", True, str(manifest.pipeline))
    if measure:
        yield from check_budgets(folder, manifest, remeasuring, intact=intact)


def _listing(expected: set[str], present: set[str], *, signed: bool) -> Check:
    faults = [f"{path} is missing" for path in sorted(expected - present)]
    faults += [f"{path} is not of the bundle" for path in sorted(present - expected)]
    other = "a signature, no other" if signed else "no other"
    return Check("files", not faults, "; ".join(faults) or f"all {len(expected)} files, {other}")


def _parities(folder: Path, manifest: Manifest, intact: Collection[str], get_device: GetDevice) -> Iterator[Check]:
    """Runs the stored example through every model file.

    A file whose device is missing here fails, except where it was not run at export either, or where another device
    that is here runs the same file.
    """
    if EXAMPLE_NAME not in intact:
        yield Check("parity", False, f"not compared: {EXAMPLE_NAME} is missing or was changed")
        return
    try:
        example = read_example(folder, manifest)
    except UserError as error:
        yield Check("parity", False, str(error))
        return
    devices = {file.device: _device(get_device, file.device) for file in manifest.models if file.device}
    runnable = {file.path for file in manifest.models if isinstance(devices[file.device or ""], RunningTarget)}
    if not runnable:
        yield Check("parity", False, "no device that runs a model file of the bundle can be used here")
    for file in manifest.models:
        device = devices[file.device or ""]
        name = f"parity of {file.path} ({file.format})"
        if not isinstance(device, RunningTarget):
            if file.executed and file.path not in runnable:
                yield Check(name, False, f"not run: {device}")
            continue
        if fault := _not_whole(folder, file.path, manifest, intact):
            yield Check(name, False, f"not run: {fault}")
            continue
        try:
            parity = check_parity(folder / file.path, [example], device.infer, file.input, exact=file.exact)
        except UserError as error:
            yield Check(name, False, str(error))
        else:
            yield Check(name, parity.ok, str(parity))


def _not_whole(folder: Path, model: str, manifest: Manifest, intact: Collection[str]) -> str:
    """Why the runtime might read something else than the manifest means; empty where it cannot."""
    parts = {file.path for file in manifest.files if file.format == "data"}
    if not parts | {model} <= set(intact):
        return "the file or a part of a model is missing or was changed"
    unlisted = strangers(folder, model, [file.path for file in manifest.files])
    return f"beside it lies {', '.join(unlisted)}, which is not in the manifest" if unlisted else ""


def _device(get_device: GetDevice, name: str) -> RunningTarget | str:
    """The device, or why it cannot be used here."""
    try:
        device = runner_of(name, get_device)
    except UserError as error:
        return str(error)
    availability = device.availability()
    return device if availability.available else f"device {name}: {availability.reason}"
