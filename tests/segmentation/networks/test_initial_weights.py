"""Learned enlargements start as interpolations."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.networks.initial_weights import bilinear_kernel
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT
from segmentation.networks.plan_builder import PlanBuilder


def without_bias(network: Network, images: Tensor) -> Tensor:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        return cast("Tensor", network(images))


@pytest.mark.parametrize("factor", [2, 4])
def test_shuffle_of_few_channels_starts_with_their_means(factor: int) -> None:
    builder = PlanBuilder(8)
    builder.shuffle("larger", INPUT, factor, shrink=4)
    images = torch.randn(2, 8, 6, 8)
    means = images.unflatten(1, (2, 4)).mean(2).repeat_interleave(4, dim=1)
    expected = functional.interpolate(means, scale_factor=float(factor))
    torch.testing.assert_close(without_bias(Network(builder.plan()), images), expected)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(("how", "kernel"), [("bilinear", None), ("bilinear", 3), ("nearest", 1)])
def test_enlargement_starts_as_interpolation(how: str, kernel: int | None, factor: int) -> None:
    builder = PlanBuilder(5)
    if kernel is None:
        builder.interpolate("larger", INPUT, factor)
    else:
        builder.shuffle("larger", INPUT, factor, kernel=kernel)
    network = Network(builder.plan())
    images = torch.randn(2, 5, 6, 8)
    larger = without_bias(network, images)
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
