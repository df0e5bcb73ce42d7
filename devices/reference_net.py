"""The net that every candidate is timed against: the operator mix of a small mobile segmentation net, about 1 ms."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from devices.graph_builder import GraphBuilder
from foundation.atomic_file import write_file
from foundation.errors import UserError

if TYPE_CHECKING:
    import onnx

SIDE = 192
"""Height and width of the reference net's input in pixels."""


def build_reference_net() -> onnx.ModelProto:
    """Inverted residuals with depthwise 3 x 3 and 5 x 5, squeeze-and-excitation, hard-swish and a bilinear decoder.

    Input ``image`` 1 x 3 x 192 x 192, output ``logits`` 1 x 2 x 192 x 192. The same bytes every time.
    """
    net = GraphBuilder(seed=20240229)
    x = net.node("HardSwish", [net.convolution("image", 3, 16, kernel=3, stride=2)])
    x = net.inverted_residual(x, 16, 24, expanded=64, stride=2)
    quarter = net.inverted_residual(x, 24, 24, expanded=72)
    x = net.inverted_residual(quarter, 24, 40, expanded=96, kernel=5, stride=2, activation="HardSwish", gate=True)
    x = net.inverted_residual(x, 40, 40, expanded=120, kernel=5, activation="HardSwish", gate=True)
    x = net.upsample(net.convolution(x, 40, 32))
    x = net.node("Concat", [x, net.convolution(quarter, 24, 16)], axis=1)
    x = net.convolution(x, 48, 48, kernel=3, group=48)
    x = net.node("Relu", [net.convolution(x, 48, 32)])
    x = net.upsample(net.convolution(x, 32, 2), 4)
    return net.finish(x, (1, 3, SIDE, SIDE), (1, 2, SIDE, SIDE))


@lru_cache(maxsize=1)
def reference_net_bytes() -> bytes:
    """The reference net as an ONNX file."""
    content: bytes = build_reference_net().SerializeToString(deterministic=True)
    return content


def reference_net_sha256() -> str:
    """SHA-256 of the reference net's file; nominal times of different reference nets are not comparable."""
    return hashlib.sha256(reference_net_bytes()).hexdigest()


def reference_net_path() -> Path:
    """Path of the reference net's file in the user's cache (or the temporary folder), written if it is not there.

    Raises:
        UserError: it can be written nowhere.
    """
    content = reference_net_bytes()
    name = f"reference-{reference_net_sha256()[:16]}.onnx"
    for folder in (_cache_folder(), Path(tempfile.gettempdir()) / f"latseg-{os.getuid()}"):
        path = folder / name
        try:
            if not path.is_file() or path.read_bytes() != content:
                write_file(path, content)
        except OSError:
            continue
        return path
    seen = f"no folder to write {name} to"
    raise UserError(
        "reference net", seen=seen, expected="space in the cache folder", remedy="free some, or set XDG_CACHE_HOME"
    )


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "latseg"
