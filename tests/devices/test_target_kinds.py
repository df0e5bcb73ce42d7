"""Which kinds of target can certify: by type, and as the registry refuses the others."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest

from devices.compiled_target import CompiledTarget
from devices.device import Device
from devices.device_info import DeviceInfo
from devices.emulated_device import EmulatedDevice
from devices.registry import COMPILED_TARGETS, DEVICES, get_device, get_target
from devices.target import Availability, Target
from foundation.errors import UserError
from latency.measuring import measure_one


class Compiler(CompiledTarget):
    """Accepts everything."""

    name = "compiler"
    unit = "npu"

    def availability(self) -> Availability:
        return Availability(True)

    def info(self) -> DeviceInfo:
        return DeviceInfo("compiler", "none", "compiler", "1", 1, "float32")

    def compile(self, path: Path, inputs: object, artifact: Path) -> tuple[str, ...]:
        return ()


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """``compiler`` is the name of a compiled target."""
    monkeypatch.setitem(COMPILED_TARGETS.targets, "compiler", f"{__name__}:Compiler")  # type: ignore[arg-type]


def test_only_measured_targets_can_be_measured_and_so_certify() -> None:
    # Certificates are made from measurements, and only ``Device.measure`` makes these. mypy holds callers to the hint.
    assert get_type_hints(measure_one)["device"] is Device
    for kind in (CompiledTarget, EmulatedDevice):
        assert issubclass(kind, Target)
        assert not issubclass(kind, Device)
        assert not hasattr(kind, "measure")


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
