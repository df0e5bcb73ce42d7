"""The device ``cpu`` with its runtime in this process, whose time and memory are watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.backends.ort.device import CpuDevice
from devices.model_file import check_model
from devices.registry import DEVICES
from devices.worker.runtime import ModelFailedError
from foundation.errors import UserError


class InProcess(CpuDevice):
    """Differs from ``cpu`` in where models are run: a crash of the runtime ends this process."""

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        from devices.backends.ort.runtime import OnnxRuntime

        check_model(path)
        try:
            return OnnxRuntime(self.threads).load_for_inference(path).infer(inputs)
        except ModelFailedError as error:
            raise UserError("model", seen=error, expected="a model that runs", remedy="export it again") from error


def use_in_process() -> None:
    """From now on the name ``cpu`` means it."""
    targets = dict(DEVICES.targets)
    vars(DEVICES)["targets"] = targets | {"cpu": f"{__name__}:{InProcess.__name__}"}
