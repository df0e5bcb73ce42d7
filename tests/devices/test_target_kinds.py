"""Which kinds of target can certify: by type, as mypy sees it, and as the registry refuses the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.compiled_target import CompiledTarget
from devices.device import Candidate, Device
from devices.device_info import DeviceInfo
from devices.emulated_device import EmulatedDevice
from devices.registry import COMPILED_TARGETS, DEVICES, get_device, get_target
from devices.support import FileSupport, Verdict
from devices.target import Availability
from foundation.errors import UserError
from latency.measuring import measure_one
from latency.store import MeasurementStore
from latseg.testing.nets import raw_model, saved


class Compiler(CompiledTarget):
    """Accepts everything."""

    name = "compiler"

    def availability(self) -> Availability:
        return Availability(True)

    def info(self) -> DeviceInfo:
        return DeviceInfo("compiler", "none", "compiler", "1", 1, "float32")

    def support(self, path: Path, inputs: object) -> FileSupport:
        return FileSupport(Verdict.SUPPORTED)


class Emulator(EmulatedDevice):
    """Computes nothing for every model."""

    name = "emulator"

    def availability(self) -> Availability:
        return Availability(True)

    def info(self) -> DeviceInfo:
        return DeviceInfo("emulator", "none", "emulator", "1", 1, "float32")

    def infer(self, path: Path, inputs: object) -> list[NDArray[np.generic]]:
        return []


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """``compiler`` is the name of a compiled target."""
    monkeypatch.setitem(COMPILED_TARGETS.targets, "compiler", f"{__name__}:Compiler")  # type: ignore[arg-type]


def test_only_measured_targets_can_be_measured_and_so_certify(tmp_path: Path) -> None:
    # mypy refuses both calls: were one of them allowed, these comments would be unused, which is an error, too.
    candidate = Candidate("net", saved(raw_model("Relu"), tmp_path / "net.onnx"))
    with MeasurementStore(tmp_path / "store.sqlite") as store:
        for call in (
            lambda: measure_one(Compiler(), candidate, store),  # type: ignore[arg-type]
            lambda: measure_one(Emulator(), candidate, store),  # type: ignore[arg-type]
        ):
            with pytest.raises(AttributeError):
                call()


def test_a_compiled_target_is_refused_where_something_is_measured(compiler: None) -> None:
    for text in ("compiler", "compiler:threads=2"):
        with pytest.raises(UserError, match=r"compiled target.*latseg check MODEL.onnx --device compiler"):
            get_device(text)
    assert isinstance(get_target("compiler"), Compiler)
    with pytest.raises(UserError, match="threads"):
        get_target("compiler:threads=2")


def test_a_target_may_be_a_device() -> None:
    assert isinstance(get_target("cpu:threads=2"), Device)
    assert get_target("cpu", threads=2).info() == get_device("cpu:threads=2").info()


def test_no_name_stands_for_two_targets() -> None:
    assert not set(COMPILED_TARGETS.names) & set(DEVICES.names)
