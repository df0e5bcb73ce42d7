"""The checks of a manifest's content: against itself, the files, and the architecture's space."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from export.bundle.check import Check
from export.bundle.manifest import FORMATS_WITHOUT_DEVICE, BundleFile, Manifest, is_network
from export.bundle.manifest_checks import manifest_faults
from export.bundle.model_checks import model_faults
from export.bundle.programs import check_programs
from export.bundle.readme_checks import README_NAME, readme_faults
from foundation.errors import UserError

ArchitectureCheck = Callable[[Manifest, Path], list[str]]
"""What in the manifest's architecture contradicts its space or the ONNX file."""


def check_content(
    folder: Path, manifest: Manifest, intact: Collection[str], check_architecture: ArchitectureCheck | None
) -> Iterator[Check]:
    """Compares what the manifest says with what the files hold; files that are not ``intact`` are not read."""
    yield _check("manifest against itself", manifest_faults(folder, manifest))
    if README_NAME in intact:
        yield _check("manifest against README.md", _readme_faults(folder, manifest))
    yield from check_programs(manifest, intact)
    files = [file for file in manifest.models if file.format in FORMATS_WITHOUT_DEVICE and file.path in intact]
    if files:
        yield _check(
            "manifest against models", [fault for file in files for fault in _model_faults(folder, file, manifest)]
        )
    paths = dict.fromkeys(file.path for file in files if is_network(file))
    if paths and manifest.architecture and check_architecture is not None:
        faults = [fault for path in paths for fault in check_architecture(manifest, folder / path)]
        yield _check("architecture", list(dict.fromkeys(faults)))


def _check(name: str, faults: list[str]) -> Check:
    return Check(name, not faults, "; ".join(faults) or "nothing contradicts")


def _readme_faults(folder: Path, manifest: Manifest) -> list[str]:
    try:
        return readme_faults(folder, manifest)
    except (OSError, UnicodeDecodeError) as error:
        return [f"{README_NAME} cannot be read: {error}"]


def _model_faults(folder: Path, file: BundleFile, manifest: Manifest) -> list[str]:
    try:
        return [f"{file.path} {fault}" for fault in model_faults(folder, file, manifest)]
    except UserError as error:
        return [str(error)]
