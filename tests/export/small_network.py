"""A network with every operator of the real ones, and a few hundred weights."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from export.to_onnx import export_module

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
HEIGHT, WIDTH = 32, 48


class SmallNetwork(nn.Module):
    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 5, 2, 2, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid()
        )
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.mix = nn.Conv2d(24, 16, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.head = nn.Conv2d(4, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        stem = self.stem(image)
        deep = self.depthwise(stem)
        deep = deep * self.gate(deep)
        smooth = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        return self.head(self.shuffle(self.mix(torch.cat([stem + self.up(deep), smooth, stem], 1))))


def small_network(classes: int = 2, seed: int = 0) -> SmallNetwork:
    """With statistics in its batch normalisation that are not the initial ones."""
    torch.manual_seed(seed)
    network = SmallNetwork(classes)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.5, 0.5)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
    return network


def export_small(network: nn.Module, path: Path, **settings: object) -> Path:
    """The ONNX file of a network that takes pictures of the small network's size."""
    return export_module(network, path, {"image": torch.zeros(1, 3, HEIGHT, WIDTH)}, **settings)
