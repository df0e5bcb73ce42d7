"""Times of the layers of a net: asked for one blob after the other, ncnn computes it layer by layer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from devices.backends.ncnn.calls import Net, empty_net, extract
from devices.layer_join import Layer, LayerGraph, LayerTime
from devices.statistics import interquartile_mean
from devices.worker.runtime import PROFILE_WARM_UP_RUNS

if TYPE_CHECKING:
    import ncnn

_AS_WRITTEN = 1
"""Type of an extraction that leaves a blob in the layout in which its layer wrote it."""
_UNCHANGED = "7767517\n2 2\nInput in 0 1 in0\nReLU out 1 1 in0 out0 0=1.0\n"
"""A net that hands its input on: a leaky ReLU of slope 1."""


def layer_times(net: Net, feeds: Sequence[ncnn.Mat], graph: LayerGraph, runs: int) -> list[LayerTime]:
    """Mean times over the runs.

    A layer brings its inputs into its layout itself, which between layers is seldom necessary. So a net whose inputs
    have such a layout is timed with plain inputs and with converted ones, in half of the runs each.
    """
    converted = packed(feeds)
    if all(mat.elempack == 1 for mat in converted):
        return [LayerTime(ms) for ms in _means_ms(net, feeds, graph.layers, runs)]
    half = max(1, runs // 2)
    plain, own = (_means_ms(net, each, graph.layers, half) for each in (feeds, converted))
    return [
        LayerTime(ms) if graph.inputs.keys().isdisjoint(layer.inputs) else LayerTime(ms, max(0.0, whole - ms))
        for layer, whole, ms in zip(graph.layers, plain, own, strict=True)
    ]


def packed(feeds: Sequence[ncnn.Mat]) -> list[ncnn.Mat]:
    """The same inputs in the layout in which a layer would write them."""
    import ncnn

    net = empty_net(1)
    net.load_param_mem(_UNCHANGED)
    net.load_model(ncnn.DataReaderFromEmpty())
    mats = []
    for mat in feeds:
        extractor = net.create_extractor()
        extractor.input("in0", mat)
        mats.append(extract(extractor, "out0", _AS_WRITTEN))
    return mats


def _means_ms(net: Net, feeds: Sequence[ncnn.Mat], layers: Sequence[Layer], runs: int) -> list[float]:
    """Milliseconds of each layer, over the runs."""
    import ncnn

    # What comes from the net's own allocator would be copied at every extraction.
    allocator = ncnn.PoolAllocator()
    # One thread's own time goes on only while it runs, whatever else the machine does.
    clock = time.thread_time_ns if net.net.opt.num_threads == 1 else time.perf_counter_ns
    passes = [pass_ms(net.extractor(feeds), allocator, layers, clock) for _ in range(PROFILE_WARM_UP_RUNS + runs)]
    return [interquartile_mean(times) for times in zip(*passes[PROFILE_WARM_UP_RUNS:], strict=True)]


def pass_ms(
    extractor: ncnn.Extractor, allocator: ncnn.PoolAllocator, layers: Sequence[Layer], clock: Callable[[], int]
) -> list[float]:
    """Milliseconds of each layer in one run, by a clock of nanoseconds.

    The second extraction, which finds the blob computed, costs what the call itself costs. No blob is held, so that
    layers may work in place as they do in a usual run.
    """
    extractor.set_blob_allocator(allocator)
    times = []
    for layer in layers:
        start = clock()
        extract(extractor, layer.outputs[0], _AS_WRITTEN)
        computed = clock()
        extract(extractor, layer.outputs[0], _AS_WRITTEN)
        end = clock()
        times.append(max(0.0, (computed - start) - (end - computed)) / 1e6)
    return times
