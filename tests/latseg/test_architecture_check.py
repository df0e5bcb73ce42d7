"""The architecture that a bundle names, compared with its space, the commands and the model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from export.bundle.manifest import BundleFile, InputLayout, Manifest, Normalisation
from export.to_onnx import export_module
from latseg.architecture_check import architecture_faults
from search.options import DataOptions
from search.spaces.portrait.space import PortraitSpace
from search.tasks.task import TaskOptions

SPACE = PortraitSpace(2)
ARCHITECTURE = SPACE.smallest()[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = SPACE.make_task(TaskOptions(data=DataOptions(source="synthetic:8")))
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    return export_module(task.build(ARCHITECTURE), path, task.example_inputs(ARCHITECTURE))


def manifest(**changes: Any) -> Manifest:
    height, width = SPACE.input_size(ARCHITECTURE)
    described = {
        "architecture": json.loads(ARCHITECTURE.to_json()),
        "parameters": SPACE.parameters(ARCHITECTURE),
        "input": InputLayout(
            height=height,
            width=width,
            normalisation=Normalisation(mean=(0, 0, 0), std=(1, 1, 1)),
            resize_policy="resize",
        ),
        "classes": ("background", "person"),
        "quality": (),
        "certificates": (),
        "files": (BundleFile(path="model.onnx", format="onnx", sha256="0" * 64, bytes=1),),
        "reproduce": f"latseg demo && latseg export RUN --winner {ARCHITECTURE.id}",
        "versions": {},
    }
    return Manifest(**{**described, **changes})


def test_the_architecture_of_the_file(model: Path) -> None:
    assert architecture_faults(manifest(), model) == []
    assert architecture_faults(manifest(reproduce="latseg export RUN --winner first"), model) == []


@pytest.mark.parametrize("slot", [name for name, _ in ARCHITECTURE.choices])
@pytest.mark.parametrize("reproduce", ["", f"latseg export RUN --winner {ARCHITECTURE.id}"])
def test_every_other_choice_is_found(model: Path, slot: str, reproduce: str) -> None:
    for choice in (ARCHITECTURE[slot] + 1, ARCHITECTURE[slot] - 1):
        other = json.loads(ARCHITECTURE.replaced({slot: choice}).to_json())
        assert architecture_faults(manifest(architecture=other, reproduce=reproduce), model)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"parameters": 17}, "the manifest says 17"),
        ({"architecture": {**json.loads(ARCHITECTURE.to_json()), "space": "elsewhere"}}, "the commands make"),
        ({"architecture": {**json.loads(ARCHITECTURE.to_json()), "more": 1}}, "more than a space and choices"),
        ({"architecture": {"space": "portrait", "stages": [1]}}, "architecture: got"),
        ({"classes": ("background", "person", "hat")}, "not the network in model.onnx"),
    ],
)
def test_other_contradictions(model: Path, changes: dict[str, Any], fault: str) -> None:
    assert fault in " ".join(architecture_faults(manifest(**changes), model))


def test_a_space_that_is_not_installed_says_nothing(model: Path) -> None:
    unknown = {**json.loads(ARCHITECTURE.to_json()), "space": "elsewhere"}
    assert architecture_faults(manifest(architecture=unknown, reproduce=""), model) == []
