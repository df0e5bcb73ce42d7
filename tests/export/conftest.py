from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from export.bundle.certificate import Certificate, certify
from export.bundle.manifest import Manifest, Normalisation, Quality
from export.bundle.write import write_bundle
from export.to_onnx import export_onnx
from tests.export.runtime_device import RuntimeDevice, measurement
from tests.export.small_network import HEIGHT, MEAN, STD, WIDTH, small_network

NORMALISATION = Normalisation(mean=MEAN, std=STD)


def certificate_for(path: Path, budget_ms: float = 5.0) -> Certificate:
    certificate = certify(measurement(path), budget_ms=budget_ms, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    return certificate


def runtime_device(name: str, /, *, threads: int = 1) -> RuntimeDevice:
    return RuntimeDevice(name=name)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def write_small_bundle(tmp_path: Path, classes: int = 2, **settings: object) -> Manifest:
    """Writes a certified bundle of the small network to ``tmp_path / "bundle"``; settings override."""
    network = small_network(classes)
    measured = export_onnx(network, tmp_path / "measured.onnx", height=HEIGHT, width=WIDTH)
    defaults = {
        "architecture": {"space": "portrait", "stages": [1, 2]},
        "parameters": sum(p.numel() for p in network.parameters()),
        "height": HEIGHT,
        "width": WIDTH,
        "classes": ["background", "person", "hair", "face", "hat"][:classes],
        "normalisation": NORMALISATION,
        "quality": [Quality(metric="mean_iou", value=0.9, data="synthetic")],
        "certificates": [certificate_for(measured)],
        "model_path": measured,
        "reproduce": "latseg export run-1 --winner 2",
        "get_device": runtime_device,
    }
    return write_bundle(tmp_path / "bundle", network, **{**defaults, **settings})


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Manifest]:
    return partial(write_small_bundle, tmp_path)


@pytest.fixture(scope="session")
def _written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_small_bundle(folder, formats=("onnx", "onnx-dynamic", "onnx-uint8", "openvino"))
    return folder / "bundle"


@pytest.fixture
def bundle(_written_once: Path, tmp_path: Path) -> Path:
    """A bundle with every format, which the test may change."""
    return Path(shutil.copytree(_written_once, tmp_path / "bundle"))
