from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from export.bundle.certificate import Certificate, certify
from export.bundle.manifest import Manifest, Quality
from export.bundle.write import write_bundle
from export.source import Source
from tests.export.runtime_device import RuntimeDevice, measurement
from tests.export.small_network import HEIGHT, MEAN, STD, WIDTH, export_small, small_network

NEED_INSTALLATION = frozenset({"executorch", "litert", "web"})
"""Formats that need what ``latseg install`` brings; they are tested with the targets."""


def certificate_for(path: Path, budget_ms: float = 5.0) -> Certificate:
    certificate = certify(measurement(path), budget_ms=budget_ms, noise_floor_percent=2.0)
    assert isinstance(certificate, Certificate)
    return certificate


def runtime_device(name: str, /, *, threads: int = 1) -> RuntimeDevice:
    return RuntimeDevice(name=name)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def segmentation_source(network: nn.Module, classes: int = 2, **settings: object) -> Source:
    description = {
        "task": "segmentation",
        "classes": ["background", "person", "hair", "face", "hat"][:classes],
        "normalisation": {"mean": MEAN, "std": STD},
        "resize_policy": settings.pop("resize_policy", "letterbox"),
    }
    inputs = settings.pop("inputs", {"image": torch.zeros(1, 3, HEIGHT, WIDTH)})
    return Source(network, inputs, description, **settings)


def write_small_bundle(tmp_path: Path, classes: int = 2, **settings: object) -> Manifest:
    """Writes a certified bundle of the small network to ``tmp_path / "bundle"``; settings override."""
    network = small_network(classes)
    measured = export_small(network, tmp_path / "measured.onnx")
    own = {f.name for f in fields(Source)} | {"resize_policy"}
    of_source = {name: settings.pop(name) for name in own & settings.keys()}
    defaults = {
        "architecture": {"space": "portrait", "stages": [1, 2]},
        "parameters": sum(p.numel() for p in network.parameters()),
        "quality": [Quality(metric="mean_iou", value=0.9, data="synthetic")],
        "certificates": [certificate_for(measured)],
        "reproduce": "latseg export run-1 --winner 2",
        "get_device": runtime_device,
    }
    source = segmentation_source(network, classes, **{"model_path": measured, **of_source})
    return write_bundle(tmp_path / "bundle", source, **{**defaults, **settings})


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
