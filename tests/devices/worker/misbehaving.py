"""A runtime for the tests of the worker: what it does is written in the model's file name."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from typing_extensions import override

from devices.measurement import OperatorTime
from devices.worker.memory_limit import free_bytes
from devices.worker.runtime import (
    Array,
    BlockTime,
    ClockedModel,
    InferenceModel,
    ModelFailedError,
    ModelFile,
    OperatorProfile,
    Runtime,
    RuntimeLostError,
)


class MisbehavingRuntime(Runtime):
    """Misbehaves while loading."""

    def __init__(self, threads: int) -> None:
        sys.stdout.write("runtimes print to stdout")
        sys.stdout.flush()

    def load(self, file: ModelFile) -> MisbehavingModel:
        path = file.path
        if path.stem == "refused":
            raise ModelFailedError("no such operator")
        if path.stem == "hungry":
            np.empty(int(0.97 * (free_bytes() or 0)), np.uint8)
        if path.stem == "hang-on-load":
            time.sleep(1000)
        _lose(path)
        return MisbehavingModel(path.stem)

    def load_for_inference(self, path: Path) -> MisbehavingInferenceModel:
        if path.stem == "refused":
            raise ModelFailedError("no such operator")
        _lose(path)
        return MisbehavingInferenceModel(path.stem)


def _lose(path: Path) -> None:
    """A model ``lost`` loses the runtime in every worker, ``lost-2`` in the first two."""
    word, _, times = path.stem.partition("-")
    lost = len(list(path.parent.glob(f"{path.stem}.*.mark")))
    if word == "lost" and (not times or lost < int(times)):
        path.with_suffix(f".{lost}.mark").touch()
        raise RuntimeLostError("the page was closed")


class MisbehavingInferenceModel(InferenceModel):
    """Misbehaves when it is used."""

    inputs = (("image", (1, None)),)

    def __init__(self, name: str) -> None:
        self._name = name

    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        if self._name == "segfault":
            ctypes.string_at(0)
        if self._name == "hangs-in-use":
            time.sleep(1000)
        return [2 * np.asarray(feeds["image"], np.float32)]


_CLOCKS: dict[str, tuple[str, dict[int, float]]] = {
    "nan-clock": ("wall_ms", {0: math.nan}),
    "infinite-clock": ("wall_ms", {0: math.inf}),
    "negative-clock": ("wall_ms", {0: -1.0}),
    "late-nan": ("wall_ms", {12: math.nan}),
    "late-infinity": ("wall_ms", {12: math.inf}),
    "stopped-clock": ("wall_ms", {0: 0.0}),
    "nan-processor-time": ("cpu_ms", {0: math.nan}),
    "nan-waiting": ("waited_ms", {0: math.nan}),
}
"""By model: what the clock shows instead, and in which block; 0 in every one."""


class MisbehavingModel(ClockedModel):
    """Misbehaves while running, or under the profiler."""

    load_ms = 1.0

    spoiled = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._runs = 0
        self._collected = False
        self._blocks = 0
        if name == "nan-load":
            self.load_ms = math.nan

    @override
    def time_block(self, runs: int) -> BlockTime:
        block = super().time_block(runs)
        self._blocks += 1
        field, times = _CLOCKS.get(self._name, ("wall_ms", {}))
        return replace(block, **{field: times.get(self._blocks, times.get(0, getattr(block, field)))})

    def run(self) -> None:
        self._runs += 1
        self._collected = gc.isenabled()
        if self._name == "spoils-reference":
            MisbehavingModel.spoiled = True
        if self._name == "reference_net" and MisbehavingModel.spoiled:
            os._exit(6)
        if self._name == "segfault" and self._runs > 3:
            ctypes.string_at(0)
        if self._name == "exit" and self._runs > 3:
            sys.stderr.write("fatal: cannot allocate memory\n")
            sys.stderr.flush()
            os._exit(7)
        if self._name == "hang" and self._runs > 3:
            time.sleep(1000)
        if self._name == "hang-with-lock" and self._runs > 3:
            ctypes.PyDLL(None).sleep(1000)  # no other thread of Python runs meanwhile
        if self._name == "raises" and self._runs > 3:
            raise ModelFailedError("bad allocation")
        if self._name == "slow":
            time.sleep(0.3)
        time.sleep(0.0002)

    def profile(self, runs: int) -> OperatorProfile:
        if self._name == "collects-garbage":
            return OperatorProfile(f"garbage collection while timing: {self._collected}")
        if self._name == "nan-profile":
            return OperatorProfile("a profiler", (OperatorTime("Conv", ("logits",), ("image",), math.nan),))
        if self._name == "dies-in-profile":
            os._exit(9)
        return OperatorProfile(f"{runs} runs", (OperatorTime("Conv", ("logits",), ("image",), 1.0),))


class WaitingRuntime(MisbehavingRuntime):
    """Waits for what its setting names."""

    def __init__(self, threads: int, setting: str) -> None:
        assert setting == "anything"
        time.sleep(1000)


class ClocklessRuntime(MisbehavingRuntime):
    """No model has a clock, not even the reference net."""

    @override
    def load(self, file: ModelFile) -> MisbehavingModel:
        return MisbehavingModel("nan-clock")


class ClosedRuntime(MisbehavingRuntime):
    """Is lost before it loads anything."""

    def __init__(self, threads: int) -> None:
        raise RuntimeLostError("the page was closed")


class BrokenRuntime(Runtime):
    """Cannot even start."""

    def __init__(self, threads: int) -> None:
        os._exit(3)

    def load(self, file: ModelFile) -> MisbehavingModel:
        raise NotImplementedError

    def load_for_inference(self, path: Path) -> MisbehavingInferenceModel:
        raise NotImplementedError
