"""Work that is recorded once and repeated by the device without the processor: a CUDA graph."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import torch

WARM_UP_RUNS = 3
"""Before recording, as torch's documentation of CUDA graphs asks for."""
CUDA = "cuda"


class Replay:
    """Recorded work; on the processor (in tests) it is repeated by Python."""

    def __init__(self, work: Callable[[], None], device: str) -> None:
        self._again = _recorded(work) if device == CUDA else work
        self._device = device

    def run(self) -> None:
        """Once more, to its end."""
        self._again()
        if self._device == CUDA:
            torch.cuda.synchronize()

    def milliseconds(self) -> float:
        """Time of one more run, by the device's clock."""
        if self._device != CUDA:
            start = time.perf_counter_ns()
            self._again()
            return (time.perf_counter_ns() - start) / 1e6
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        self._again()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end))


def _recorded(work: Callable[[], None]) -> Callable[[], None]:
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch's stubs
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_RUNS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The CUDA Graph is empty")
        with torch.cuda.graph(graph):
            work()
    return graph.replay
