"""Learned enlargements start as interpolations."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from segmentation.networks.initial_weights import bilinear_kernel
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT
from segmentation.networks.plan_builder import PlanBuilder


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(("how", "kernel"), [("bilinear", None), ("bilinear", 3), ("nearest", 1)])
def test_enlargement_starts_as_interpolation(how: str, kernel: int | None, factor: int) -> None:
    builder = PlanBuilder(5)
    if kernel is None:
        builder.interpolate("larger", INPUT, factor)
    else:
        builder.shuffle("larger", INPUT, factor, kernel)
    network = Network(builder.plan())
    images = torch.randn(2, 5, 6, 8)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            assert module.bias is not None
            torch.nn.init.zeros_(module.bias)
    with torch.no_grad():
        larger = network(images)
    aligned = None if how == "nearest" else False
    expected = functional.interpolate(images, scale_factor=float(factor), mode=how, align_corners=aligned)
    # A learned layer has no neighbours to interpolate with at the border.
    middle = slice(factor, -factor)
    torch.testing.assert_close(larger[..., middle, middle], expected[..., middle, middle])


@pytest.mark.parametrize("factor", [2, 4])
def test_bilinear_kernel_keeps_the_level(factor: int) -> None:
    level = functional.conv_transpose2d(
        torch.ones(1, 1, 6, 6), bilinear_kernel(factor)[None, None], stride=factor, padding=factor // 2
    )
    torch.testing.assert_close(level[..., factor:-factor, factor:-factor], torch.ones(1, 1, 4 * factor, 4 * factor))
