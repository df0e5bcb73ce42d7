"""The layers of a loaded net."""

from __future__ import annotations

from devices.backends.ncnn.calls import Net
from devices.layer_join import Layer, LayerGraph


def layer_graph(net: Net) -> LayerGraph:
    """Reads the graph of a loaded net."""
    names = [blob.name for blob in net.net.blobs()]
    copied: dict[int, int] = {}
    layers = []
    for layer in net.net.layers():
        inputs = tuple(copied.get(blob, blob) for blob in layer.bottoms)
        if layer.type == "Split":
            copied.update(dict.fromkeys(layer.tops, inputs[0]))
        elif layer.type != "Input":
            layers.append(Layer(layer.type, inputs, tuple(layer.tops)))
    given = {names.index(f"in{index}"): name for index, (name, _) in enumerate(net.signature.inputs)}
    made = {names.index(f"out{index}"): name for index, name in enumerate(net.signature.outputs)}
    return LayerGraph(tuple(layers), given, {copied.get(blob, blob): name for blob, name in made.items()})
