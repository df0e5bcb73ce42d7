"""What an operator behind a convolution takes by the number of positions: whole tiles of a matrix kernel, or not.

A convolution of 1 x 1 and a hard-swish, 24 to 96 channels, at planes of many sizes, on every runtime that is available.
The result is the time of the last row of the profile for each number, which is the hard-swish where the runtime does
not fuse it, by whether the plane is a multiple of 24. Times are of one moment: their ratio counts.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import onnx

from devices.device import Candidate, Device
from devices.doctor import diagnose
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from latseg.testing.graph_builder import GraphBuilder
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "tiles.json"
CHANNELS_IN, CHANNELS_OUT, TILE = 24, 96, 24
PLANES = (
    (16, 16), (20, 16), (12, 10), (24, 10), (21, 21), (24, 24), (24, 25), (32, 20), (32, 24), (30, 30), (32, 32),
    (33, 32), (48, 25), (40, 32), (48, 32), (48, 48), (64, 40), (64, 48), (64, 64), (80, 64), (96, 64), (96, 96),
    (128, 80), (128, 96), (128, 100), (128, 112), (128, 120), (128, 128),
)  # fmt: skip
GROUP = 14
PROTOCOL = replace(MeasurementProtocol(), block_ms=3.0, minimum_blocks=5, maximum_blocks=5)


def net(height: int, width: int) -> onnx.ModelProto:
    """A convolution and what follows it."""
    builder = GraphBuilder(seed=1)
    made = builder.node("HardSwish", [builder.convolution("image", CHANNELS_IN, CHANNELS_OUT)])
    return builder.finish(made, (1, CHANNELS_IN, height, width), (1, CHANNELS_OUT, height, width))


def row(device: Device, folder: Path) -> dict[str, Any]:
    """Nanoseconds for each number, by plane, and their medians."""
    candidates = []
    for height, width in PLANES:
        path = folder / f"{height}x{width}.onnx"
        onnx.save(net(height, width), path)
        candidates.append(Candidate(path.stem, path))
    found: dict[str, float] = {}
    for start in range(0, len(candidates), GROUP):
        for result in device.measure(candidates[start : start + GROUP], nominal_reference_ms=1.0, protocol=PROTOCOL):
            assert isinstance(result, Measurement), result
            last = result.operators[-1]
            found[result.label] = (last.own_ms or 0.0) * 1e6 / (CHANNELS_OUT * positions(result.label))
    whole, others = (
        median(ns for plane, ns in found.items() if (positions(plane) % TILE == 0) == tiles) for tiles in (True, False)
    )
    return {"ns": found, "whole_tiles": whole, "others": others, "ratio": whole / others}


def positions(plane: str) -> int:
    """Of ``HEIGHTxWIDTH``."""
    height, _, width = plane.partition("x")
    return int(height) * int(width)


def main() -> None:
    """Entry point."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    names = [device.name for device in diagnose().devices if device.available and device.name != "simulated"]
    rows = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = row(get_device(name), Path(folder))
        print(name, {key: round(rows[name][key], 3) for key in ("whole_tiles", "others", "ratio")})
    write_result(RESULT, {"benchmark": "tiles", "rows": rows, "goals": []} | provenance())


if __name__ == "__main__":
    main()
