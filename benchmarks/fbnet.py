"""FBNet (Wu et al., CVPR 2019) as operator graphs, and the latencies that HELP (Lee et al., NeurIPS 2021) published.

22 layers in seven stages, each one of nine blocks, at the input of 32 x 32 of CIFAR-100 as in HW-NAS-Bench (Li et al.,
ICLR 2021). Unlike in NAS-Bench-201 the same block differs in channels and resolution from layer to layer.

The table is a snapshot of the public repository HayeonLee/HELP (``git clone``; MIT), nothing of which enters ours.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from net_builder import NetBuilder
from numpy.typing import NDArray

from latency.operators import builders
from latency.operators.operator import OperatorGraph

DEVICES = (
    "1080ti_1", "1080ti_32", "1080ti_64", "silver_4114", "silver_4210r", "samsung_a50", "pixel3", "essential_ph_1",
    "samsung_s7", "titanx_1", "titanx_32", "titanx_64", "gold_6240", "fpga", "raspi4", "eyeriss",
)  # fmt: skip
"""Those of HELP's protocol."""
LAYERS = (1, 4, 4, 4, 4, 4, 1)
CHANNELS = (16, 24, 32, 64, 112, 184, 352)
STRIDES = (1, 1, 2, 2, 1, 2, 1)
"""By stage."""
HEAD = 1504
CLASSES = 100
BLOCKS = ((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1))
"""Kernel, expansion and groups; the next number is the skip."""


@dataclass(frozen=True)
class FbnetLatencies:
    """Latencies of 5,000 nets."""

    devices: tuple[str, ...]
    latency_ms: NDArray[np.float64]
    """devices x nets"""
    blocks: tuple[tuple[int, ...], ...]
    """nets x layers: index into ``BLOCKS``."""

    @staticmethod
    def read(repository: Path) -> FbnetLatencies:
        """From a git directory of HayeonLee/HELP."""
        latency_ms = np.array([_stored(repository, f"latency/{name}.pt") for name in DEVICES], np.float64)
        return FbnetLatencies(DEVICES, latency_ms, tuple(map(tuple, _stored(repository, "arch.pt"))))

    def graph(self, net: int) -> OperatorGraph:
        """One of the nets."""
        return fbnet_graph(self.blocks[net])

    def of(self, device: str) -> NDArray[np.float64]:
        """Latencies of one device, by net."""
        return self.latency_ms[self.devices.index(device)]


def fbnet_graph(blocks: tuple[int, ...]) -> OperatorGraph:
    """The net of these blocks, one for each layer."""
    net = NetBuilder()
    x = net.convolution(-1, CHANNELS[0], 3, activation="relu")
    remaining = iter(blocks)
    for count, channels, stride in zip(LAYERS, CHANNELS, STRIDES, strict=True):
        for layer in range(count):
            x = _block(net, x, channels, 1 if layer else stride, next(remaining))
    return net.classified(net.convolution(x, HEAD, 1, activation="relu"), CLASSES)


def _block(net: NetBuilder, x: int, channels: int, stride: int, number: int) -> int:
    same = stride == 1 and net.shape(x)[1] == channels
    if number == len(BLOCKS):
        return x if same else net.convolution(x, channels, 1, stride, activation="relu")
    kernel, expansion, group = BLOCKS[number]
    wide = expansion * net.shape(x)[1]
    inner = net.convolution(x, wide, 1, group=group, activation="relu")
    if group > 1:  # channel shuffle
        shape = net.shape(inner)
        inner = net.add(builders.operator("Transpose", (), (shape,), (shape,)), inner)
    inner = net.convolution(inner, wide, kernel, stride, group=wide, activation="relu")
    outer = net.convolution(inner, channels, 1, group=group)
    return net.sum([outer, x]) if same else outer


def _stored(repository: Path, name: str) -> list[list[float]]:
    command = ["git", "--git-dir", str(repository), "show", f"HEAD:data/fbnet/{name}"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    result: list[list[float]] = torch.load(io.BytesIO(content), weights_only=True)
    return result
