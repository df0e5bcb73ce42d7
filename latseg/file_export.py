"""Any ONNX file in other formats: a bundle without an architecture, and with certificates where budgets are given."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.temporary_folder import TemporaryFolder
from latseg.bundle import Bundle
from latseg.model_files import Shapes

if TYPE_CHECKING:
    from export.bundle.certificate import Certificate, Refusal
    from latseg.open_workspace import OpenWorkspace

NAME = "model.onnx"


def export_file(
    workspace: OpenWorkspace,
    model: Path,
    folder: Path,
    *,
    formats: Sequence[str],
    budgets_ms: Mapping[str, float],
    threads: int | None,
    shapes: Shapes,
    sign: Path | None,
    seed: int,
) -> Bundle:
    """Writes the bundle of an ONNX file to ``folder``; see ``Workspace.export``."""
    from devices.registry import get_device
    from export.bundle.certificate import Certificate, Refusal
    from export.bundle.signature import check_signing
    from export.bundle.write import write_bundle
    from export.onnx_file import source_of, weights_of
    from export.registry import get_exporters

    get_exporters(formats)  # what is wrong is told before anything is measured
    if sign is not None:
        check_signing(sign)
    with TemporaryFolder() as temporary:
        copy = temporary.path / NAME
        source = source_of(model, copy, get_device("cpu"), shapes=shapes, seed=seed)
        decisions = {
            name: _certificate(workspace, name, threads, copy, limit_ms, seed) for name, limit_ms in budgets_ms.items()
        }
        write_bundle(
            folder,
            source,
            architecture={},
            parameters=weights_of(copy),
            certificates=[found for found in decisions.values() if isinstance(found, Certificate)],
            refusals=[f"{name}: {found.reason}" for name, found in decisions.items() if isinstance(found, Refusal)],
            formats=formats,
            reproduce=_command(model, formats, budgets_ms, threads, shapes, seed),
            sign=sign,
        )
    return Bundle(folder, workspace=workspace.path)


def _certificate(
    workspace: OpenWorkspace, name: str, threads: int | None, model: Path, limit_ms: float, seed: int
) -> Certificate | Refusal:
    from devices.device import Candidate
    from devices.registry import get_device
    from latency.measuring import Measured, measure_one
    from search.winners.certification import certify_file

    device = get_device(name, threads=threads)

    def measure(attempt: int) -> Measured:
        with workspace.folder.store() as store:
            return measure_one(device, Candidate(NAME, model), store, seed=seed + attempt)

    return certify_file(measure, budget_ms=limit_ms)


def _command(
    model: Path,
    formats: Sequence[str],
    budgets_ms: Mapping[str, float],
    threads: int | None,
    shapes: Shapes,
    seed: int,
) -> str:
    words = ["latseg", "export", model.name]
    for name in formats:
        words += ["--format", name]
    for name, limit_ms in budgets_ms.items():
        words += ["--device", name, "--max-latency", f"{limit_ms:g}ms"]
    words += [] if threads is None else ["--threads", str(threads)]
    for name, shape in shapes.items():
        words += ["--shape", f"{name}={'x'.join(map(str, shape))}"]
    return shlex.join([*words, "--seed", str(seed)] if seed else words)
