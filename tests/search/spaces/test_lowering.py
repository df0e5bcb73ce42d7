from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.to_onnx import export_module
from latency.operators.from_onnx import from_onnx
from latseg.testing.space_contract import check_lowering
from search.architecture import Architecture
from search.spaces.lowering import lower
from search.spaces.portrait.space import PortraitSpace, portrait_architecture
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT, Layer, Plan
from segmentation.networks.teacher import teacher_plan
from segmentation.portrait.slots import CHOICES
from tests.segmentation.networks.test_network import EVERY_KIND

architectures = st.fixed_dictionaries({name: st.integers(0, choices - 1) for name, choices in CHOICES.items()}).map(
    portrait_architecture
)


@settings(max_examples=6, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(architecture=architectures, classes=st.integers(2, 19))
def test_lowering_equals_the_exported_net(architecture: Architecture, classes: int, tmp_path: Path) -> None:
    check_lowering(PortraitSpace(classes), "synthetic:4", architecture, tmp_path)


def various(space: PortraitSpace, count: int) -> list[Architecture]:
    """Of many random architectures those that, together, make the most different choices."""
    pool, found, seen = space.sample(300, Random(9)), [], set[tuple[str, int]]()
    while len(found) < count:
        found.append(max(pool, key=lambda architecture: len(seen.union(architecture.choices))))
        seen.update(found[-1].choices)
    return found


@pytest.mark.slow
def test_lowering_equals_the_exported_net_for_various_choices(tmp_path: Path) -> None:
    space = PortraitSpace()
    for architecture in various(space, 16):
        check_lowering(space, "synthetic:4", architecture, tmp_path)


def test_the_teacher_is_lowered_too(tmp_path: Path) -> None:
    plan = teacher_plan(3)
    path = export_module(Network(plan), tmp_path / "teacher.onnx", {"image": torch.zeros(1, 3, 64, 96)})
    assert lower(plan, 64, 96) == from_onnx(path)


def test_every_kind_of_layer_is_lowered(tmp_path: Path) -> None:
    path = export_module(Network(EVERY_KIND), tmp_path / "net.onnx", {"image": torch.zeros(1, 3, 32, 64)})
    assert lower(EVERY_KIND, 32, 64) == from_onnx(path)


def test_counts_of_a_small_net() -> None:
    plan = Plan(
        (
            Layer("stem", "conv", (INPUT,), 8, 3, 2, activation="relu"),
            Layer("classes", "conv", ("stem",), 2, normalise=False),
            Layer("enlarge", "resize", ("classes",), factor=2),
        )
    )
    graph = lower(plan, 32, 64)
    assert [operator.kind for operator in graph.operators] == ["Conv", "Conv", "Resize"]
    assert graph.inputs == ((-1,), (0,), (1,))
    assert graph.operators[0].output_shapes == ((1, 8, 16, 32),)
    assert graph.operators[0].flops == 2 * 27 * 8 * 16 * 32
    # Batch normalisation is folded into a bias: one number less a channel than the plan's scale and shift.
    assert graph.parameters == 27 * 8 + 8 + 8 * 2 + 2 == plan.parameters() - 8
