"""The layers of ``.param`` texts, which pnnx and ncnn write alike (ncnn wiki, "param and model file structure")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_MAGIC = "7767517"
_PIXEL_SHUFFLE = {"CRD": 0, "DCR": 1}
"""Parameter 1 of ncnn's PixelShuffle by ``mode`` of DepthToSpace, which is DCR where it is not written."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One line."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[str, ...]
    """As they are written: ``KEY=VALUE``."""


def read_layers(text: str) -> list[Layer]:
    """The layers of a text that pnnx has written."""
    layers = []
    for line in text.splitlines()[2:]:
        kind, name, read, written, *rest = line.split()
        first, last = int(read), int(read) + int(written)
        layers.append(Layer(kind, name, tuple(rest[:first]), tuple(rest[first:last]), tuple(rest[last:])))
    return layers


def write_layers(layers: Sequence[Layer]) -> str:
    """The text of these layers."""
    blobs = {blob for layer in layers for blob in layer.outputs}
    return "\n".join([_MAGIC, f"{len(layers)} {len(blobs)}", *map(_line, layers), ""])


def unconverted(pnnx: Sequence[Layer], ncnn: Sequence[Layer]) -> list[str]:
    """Operators that pnnx copied because it does not know them, or knows no ncnn layer for them.

    What it knows has a point in its name in its own text (``nn.Conv2d``) and none in that for ncnn.
    """
    unknown = [layer.kind for layer in pnnx if "." not in layer.kind and layer.kind != "DepthToSpace"]
    return list(dict.fromkeys([*unknown, *(layer.kind for layer in ncnn if "." in layer.kind)]))


def with_pixel_shuffles(ncnn: Sequence[Layer], pnnx: Sequence[Layer]) -> list[Layer]:
    """The layers with ncnn's name for DepthToSpace, which pnnx copies; its own text has the attributes."""
    known = {layer.name: dict(each.split("=", 1) for each in layer.parameters if "=" in each) for layer in pnnx}

    def shuffle(layer: Layer) -> Layer:
        size, mode = known[layer.name]["blocksize"], known[layer.name].get("mode", "DCR")
        return replace(layer, kind="PixelShuffle", parameters=(f"0={size}", f"1={_PIXEL_SHUFFLE[mode]}"))

    return [shuffle(layer) if layer.kind == "DepthToSpace" else layer for layer in ncnn]


def without_batch_marks(layers: Sequence[Layer]) -> list[Layer]:
    """The layers without the poolings that ``convert`` put behind the inputs."""
    inputs = {blob for layer in layers if layer.kind == "Input" for blob in layer.outputs}
    marks = {
        layer.outputs[0]: layer.inputs[0]
        for layer in layers
        if layer.kind == "Pooling" and layer.inputs[0] in inputs and "1=1" in layer.parameters
    }
    return [
        replace(layer, inputs=tuple(marks.get(blob, blob) for blob in layer.inputs))
        for layer in layers
        if marks.keys().isdisjoint(layer.outputs)
    ]


def _line(layer: Layer) -> str:
    counts = f"{len(layer.inputs)} {len(layer.outputs)}"
    return " ".join([f"{layer.kind:24} {layer.name:24} {counts}", *layer.inputs, *layer.outputs, *layer.parameters])
