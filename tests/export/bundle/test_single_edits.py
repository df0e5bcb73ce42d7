"""Every leaf of a manifest is edited alone, the way a forger or an accident would; all but the listed are found."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from devices.measurement import Block
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import reference_net_sha256
from devices.statistics import bootstrap_median_interval
from export.bundle import pipeline_times
from export.bundle.certificate import Certificate, certify
from export.bundle.verify import verify_bundle
from foundation.errors import UserError
from tests.export.bundle.single_edits import NOT_DERIVED, edits, leaves
from tests.export.conftest import write_small_bundle
from tests.export.runtime_device import INFO, RuntimeDevice, measurement
from tests.export.small_network import export_small, small_network


def own_certificate(path: Path) -> Certificate:
    """As the project's own procedure measures: noisy samples, a bootstrap interval, the protocol with every value."""
    random = np.random.default_rng(5)
    reference = 2.0 * random.normal(1, 0.02, 15)
    ratios = 2.0 * random.normal(1, 0.01, 15)
    waited = np.where(random.random(15) < 0.3, random.random(15), 0.0)
    blocks = tuple(
        Block(3, float(r * n), float(n), float(w)) for r, n, w in zip(ratios, reference, waited, strict=True)
    )
    low, high = bootstrap_median_interval(
        [block.candidate_ms / block.reference_ms for block in blocks], resamples=1000, random=random
    )
    raw = [block.wall_ms for block in blocks]
    latency_ms = 2.0 * float(np.median([block.candidate_ms / block.reference_ms for block in blocks]))
    taken = measurement(
        path,
        latency_ms=latency_ms,
        info=replace(INFO, protocol_version=PROTOCOL_VERSION, clock_mhz=2500.0, load_average=0.5),
        blocks=blocks,
        interval_ms=(2.0 * low, 2.0 * high),
        raw_median_ms=float(np.percentile(raw, 50)),
        p90_ms=float(np.percentile(raw, 90)),
        cpu_per_wall=0.99,
        protocol={**asdict(MeasurementProtocol()), "reference_sha256": reference_net_sha256()},
    )
    certificate = certify(taken, budget_ms=5.0, noise_floor_percent=0.8)
    assert isinstance(certificate, Certificate)
    return certificate


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edits")
    model = export_small(small_network(), folder / "measured.onnx")
    formats = ("onnx", "onnx-dynamic", "onnx-uint8")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {"_PROCESSES": 1, "_RUNS": 2, "_HEIGHT": 120, "_WIDTH": 160}.items():
            patched.setattr(pipeline_times, name, value)
        write_small_bundle(folder, formats=formats, certificates=[own_certificate(model)], time_pipeline=True)
    return folder / "bundle"


def edited(manifest: Any, path: tuple[str | int, ...]) -> Iterator[Any]:
    """The manifest with one leaf changed; once for each way."""
    holder = manifest
    for step in path[:-1]:
        holder = holder[step]
    for value in edits(holder[path[-1]]):
        if value != holder[path[-1]]:
            changed = copy.deepcopy(manifest)
            inner = changed
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = value
            yield changed


class Remembering(RuntimeDevice):
    """Answers of models that are never changed are computed once."""

    answers: ClassVar[dict[tuple[str, bytes], list[np.ndarray]]] = {}

    def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        key = (path.name, b"".join(array.tobytes() for array in inputs.values()))
        if key not in self.answers:
            self.answers[key] = super().infer(path, inputs)
        return self.answers[key]


def accepted(folder: Path) -> bool:
    try:
        return verify_bundle(folder, measure=False, get_device=lambda name, threads=1: Remembering(name=name)).ok
    except UserError:  # a newer schema, or a device that nobody knows
        return False


def passing(folder: Path) -> list[tuple[str, int]]:
    """Leaves of which an edit passes, and how many edits."""
    original = (folder / "manifest.json").read_text()
    manifest, found = json.loads(original), []
    for path in leaves(manifest):
        passed = 0
        for changed in edited(manifest, path):
            (folder / "manifest.json").write_text(json.dumps(changed))
            passed += accepted(folder)
        if passed:
            found.append((".".join(map(str, path)), passed))
    (folder / "manifest.json").write_text(original)
    return found


def test_every_single_edit_is_found(written: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "bundle"))
    assert accepted(folder)
    unexpected = [each for each in passing(folder) if not any(re.fullmatch(one, each[0]) for one in NOT_DERIVED)]
    assert unexpected == []
