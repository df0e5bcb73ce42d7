"""Nets in torch as people write them, and their export by either exporter."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE = (2, 3, 32, 48)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish(),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
            nn.Conv2d(16, 32, 1, groups=4, bias=False), nn.BatchNorm2d(32), nn.SiLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(32, 10), nn.Softmax(-1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        return self.features(image)


class UNet(nn.Module):
    """Upsampling to the size of the skip, padding where it is missing a row, normalisation by instance and group."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True)
        self.second, self.second_norm = nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16)
        self.deep, self.up = nn.Conv2d(16, 32, 3, padding=1), nn.ConvTranspose2d(32, 16, 2, 2)
        self.join, self.head = nn.Conv2d(32, 8, 3, padding=1), nn.Conv2d(16, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        a = torch.relu(self.first_norm(self.first(image)))
        b = functional.leaky_relu(self.second_norm(self.second(functional.max_pool2d(a, 2))))
        up = self.up(functional.elu(self.deep(functional.max_pool2d(b, 2))))
        up = functional.pad(up, [0, b.shape[3] - up.shape[3], 0, b.shape[2] - up.shape[2]])
        up = self.join(torch.cat([up, b], 1))
        up = functional.interpolate(up, size=a.shape[2:], mode="bilinear", align_corners=False)
        out = self.head(torch.cat([up, a], 1))
        return torch.sigmoid(functional.interpolate(out, size=image.shape[2:], mode="nearest"))


class Transformer(nn.Module):
    """Patches and one block of self-attention with two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.norms = nn.ModuleList([nn.LayerNorm(16), nn.LayerNorm(16)])
        self.qkv, self.mix = nn.Linear(16, 48), nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).flatten(2).transpose(1, 2)
        batch, count, width = tokens.shape
        query, key, value = (
            self.qkv(self.norms[0](tokens)).reshape(batch, count, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        )
        weights = torch.softmax(query @ key.transpose(-2, -1) * 8**-0.5, -1)
        tokens = tokens + self.mix((weights @ value).transpose(1, 2).reshape(batch, count, width))
        return (tokens + self.mlp(self.norms[1](tokens))).mean(1)


def export_legacy(net: nn.Module, opset: int, *, dynamic: bool) -> onnx.ModelProto:
    """By the TorchScript exporter, which says that it is deprecated."""
    file = io.BytesIO()
    axes = {"image": {0: "n", 2: "h", 3: "w"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            torch.zeros(IMAGE),
            file,
            input_names=["image"],
            opset_version=opset,
            dynamo=False,
            dynamic_axes=axes,
        )
    return onnx.load_from_string(file.getvalue())


def export_dynamo(net: nn.Module, opset: int, path: Path) -> None:
    """By the newer exporter, with dynamic axes; it writes weights to a second file."""
    free = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(IMAGE),),
            path,
            input_names=["image"],
            opset_version=opset,
            dynamo=True,
            verbose=False,
            external_data=True,
            dynamic_shapes=({0: free, 2: free, 3: free},),
        )
