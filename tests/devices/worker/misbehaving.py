"""A runtime for the tests of the worker: what it does is written in the model's file name."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from devices.measurement import OperatorTime
from devices.model_inputs import ModelInput
from devices.worker.loaded_model import Array, LoadedModel
from devices.worker.session import ClockedSession, OperatorProfile, Runtime, SessionError


class MisbehavingRuntime(Runtime):
    """Misbehaves while loading."""

    def __init__(self, threads: int) -> None:
        sys.stdout.write("runtimes print to stdout")
        sys.stdout.flush()

    def open(self, path: Path, inputs: tuple[ModelInput, ...]) -> MisbehavingSession:
        if path.stem == "refused":
            raise SessionError("no such operator")
        if path.stem == "hang-on-load":
            time.sleep(1000)
        return MisbehavingSession(path.stem)

    def load(self, path: Path) -> MisbehavingModel:
        if path.stem == "refused":
            raise SessionError("no such operator")
        return MisbehavingModel(path.stem)


class MisbehavingModel(LoadedModel):
    """Misbehaves when it is used."""

    inputs = (("image", (1, None)),)

    def __init__(self, name: str) -> None:
        self._name = name

    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        if self._name == "segfault":
            ctypes.string_at(0)
        return [2 * np.asarray(feeds["image"], np.float32)]


class MisbehavingSession(ClockedSession):
    """Misbehaves while running, or under the profiler."""

    load_ms = 1.0

    spoiled = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._runs = 0

    def run(self) -> None:
        self._runs += 1
        if self._name == "spoils-reference":
            MisbehavingSession.spoiled = True
        if self._name == "reference_net" and MisbehavingSession.spoiled:
            os._exit(6)
        if self._name == "segfault" and self._runs > 3:
            ctypes.string_at(0)
        if self._name == "exit" and self._runs > 3:
            sys.stderr.write("fatal: cannot allocate memory\n")
            sys.stderr.flush()
            os._exit(7)
        if self._name == "hang" and self._runs > 3:
            time.sleep(1000)
        if self._name == "raises" and self._runs > 3:
            raise SessionError("bad allocation")
        if self._name == "slow":
            time.sleep(0.3)
        time.sleep(0.0002)

    def profile(self, runs: int) -> OperatorProfile:
        if self._name == "dies-in-profile":
            os._exit(9)
        return OperatorProfile(f"{runs} runs", (OperatorTime("Conv", ("logits",), ("image",), 1.0),))


class BrokenRuntime(Runtime):
    """Cannot even start."""

    def __init__(self, threads: int) -> None:
        os._exit(3)

    def open(self, path: Path, inputs: tuple[ModelInput, ...]) -> MisbehavingSession:
        raise NotImplementedError

    def load(self, path: Path) -> MisbehavingModel:
        raise NotImplementedError
