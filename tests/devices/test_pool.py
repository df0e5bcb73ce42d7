"""Equal devices as one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typing_extensions import override

from devices.backends.simulated.device import SimulatedDevice
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from devices.pool import DevicePool
from devices.registry import get_device, get_device_here
from foundation.errors import DeviceUnavailableError, UserError
from latency.campaign import run_campaign
from latency.campaign_items import campaign_items
from latency.store import MeasurementStore
from latseg.testing.device_contract import FAST, NOMINAL_MS, DeviceContract
from latseg.testing.nets import saved, small_net
from search.spaces.portrait.space import PortraitSpace


class Unit(SimulatedDevice):
    """One of several equal devices; notes what it measures, and with how many others at the same time."""

    def __init__(self, number: int = 0, *, hardware: str = "invented", usable: bool = True) -> None:
        super().__init__()
        self.name = f"unit{number}"
        self.hardware, self.usable = hardware, usable
        self.measured: list[str] = []
        self.fails_with: Exception | None = None
        self.together: threading.Barrier | None = None

    @override
    def availability(self) -> Availability:
        return Availability(self.usable, "" if self.usable else "not plugged in", "" if self.usable else "plug it in")

    @override
    def info(self) -> DeviceInfo:
        return DeviceInfo(self.name, self.hardware, "simulated", "1", 1, "float32", True, 3)

    @override
    def measure(self, candidates: Sequence[Candidate], **how: Any) -> Iterator[Measurement | FailedMeasurement]:
        if self.together is not None:
            self.together.wait(20)
        for result in super().measure(candidates, **how):
            if self.fails_with is not None and self.measured:
                raise self.fails_with
            self.measured.append(result.label)
            yield result


class Units(DevicePool):
    def __init__(self, *units: Device) -> None:
        self.name = "units"
        self.units = units or (Unit(1), Unit(2))

    @override
    def find_members(self) -> Sequence[Device]:
        return self.units


class TestPool(DeviceContract):
    construct = "from tests.devices.test_pool import Units; Units()"
    runtime_modules = ("onnxruntime",)

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return Units()


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    path = saved(small_net(), tmp_path_factory.mktemp("models") / "small.onnx")
    return [Candidate(f"net{number}", path) for number in range(6)]


def measured(pool: Device, candidates: Sequence[Candidate], seed: int = 0) -> dict[str, Any]:
    found = list(pool.measure(candidates, nominal_reference_ms=NOMINAL_MS, protocol=FAST, seed=seed))
    assert len({result.label for result in found}) == len(found) == len(candidates)
    return {result.label: result for result in found}


def test_it_is_one_device_whose_measurements_say_on_which_unit_they_were_taken(candidates: list[Candidate]) -> None:
    one, two = Unit(1), Unit(2)
    pool = Units(one, two)
    found = measured(pool, candidates)
    assert sorted(one.measured) == ["net0", "net2", "net4"]
    assert sorted(two.measured) == ["net1", "net3", "net5"]
    assert {result.device.fingerprint for result in found.values()} == {pool.info().fingerprint}
    assert {label: result.device.unit for label, result in found.items()} == {
        f"net{number}": f"unit{1 + number % 2}" for number in range(6)
    }
    alone = measured(Unit(1), candidates)
    assert {label: result.latency_ms for label, result in found.items()} == {
        label: result.latency_ms for label, result in alone.items()
    }


def test_another_seed_begins_with_another_unit(candidates: list[Candidate]) -> None:
    units = [measured(Units(), candidates[:1], seed)["net0"].device.unit for seed in range(4)]
    assert units == ["unit1", "unit2", "unit1", "unit2"]


def test_the_units_measure_at_the_same_time(candidates: list[Candidate]) -> None:
    units = [Unit(number) for number in range(3)]
    together = threading.Barrier(3)
    for unit in units:
        unit.together = together
    assert len(measured(Units(*units), candidates)) == 6
    assert Units(*units).parallel == 3


def test_what_a_failing_unit_had_is_measured_by_the_others(
    candidates: list[Candidate], caplog: pytest.LogCaptureFixture
) -> None:
    one, two = Unit(1), Unit(2)
    one.fails_with = DeviceUnavailableError("unit1", seen="a broken wire", expected="none", remedy="mend it")
    pool = Units(one, two)
    with caplog.at_level(logging.WARNING):
        measured(pool, candidates)
    assert "unit1 is left out of units: unit1: got a broken wire" in caplog.text
    assert one.measured == ["net0"]
    assert sorted(two.measured) == [f"net{number}" for number in range(1, 6)]
    assert pool.members == [two]
    two.fails_with = one.fails_with
    with pytest.raises(DeviceUnavailableError, match="a broken wire"):
        measured(pool, candidates)


def test_it_tells_how_many_units_measure_and_how_many_were_left_out(candidates: list[Candidate]) -> None:
    one, told = Unit(1), []
    one.fails_with = DeviceUnavailableError("unit1", seen="a broken wire", expected="none", remedy="mend it")
    pool = Units(one, Unit(2), Unit(3, usable=False))
    pool.on_units = lambda units: told.append(str(units))
    assert str(pool.unit_counts()) == "2 devices, 0 measuring, 1 left out"
    measured(pool, candidates)
    assert told[0] == "2 devices, 2 measuring, 1 left out"
    assert "1 device, 1 measuring, 2 left out" in told
    assert told[-1] == "1 device, 0 measuring, 2 left out"
    assert str(Units().unit_counts()) == "2 devices, 0 measuring"


def test_an_error_of_a_model_is_no_failure_of_a_unit(candidates: list[Candidate]) -> None:
    one = Unit(1)
    one.fails_with = UserError("model", seen="none", expected="one", remedy="bring one")
    with pytest.raises(UserError, match="model: got none"):
        measured(Units(one, Unit(2)), candidates)


def test_units_of_different_kinds_are_not_mixed() -> None:
    pool = Units(Unit(1), Unit(2), Unit(3, hardware="another"))
    with pytest.raises(
        DeviceUnavailableError, match="got unit1 and unit3, which differ in hardware; expected devices of"
    ):
        pool.info()
    assert not pool.availability().available


def test_units_that_cannot_be_used_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert [member.name for member in Units(Unit(1, usable=False), Unit(2)).members] == ["unit2"]
    assert "unit1 is left out of units: not plugged in" in caplog.text
    status = Units(Unit(1, usable=False)).availability()
    assert (status.available, status.remedy) == (False, "plug it in")
    assert "none that can be used, unit1: not plugged in" in status.reason


def test_a_campaign_is_shared_by_the_units(tmp_path: Path) -> None:
    space = PortraitSpace(sizes=((128, 128),))
    items = campaign_items([space.lower(net) for net in space.sample(4, Random(1))], operator_limit=0)
    with MeasurementStore(tmp_path / "pool.sqlite") as store:
        pool, one, two = Units(), Unit(1), Unit(2)
        pool.units = (one, two)
        assert run_campaign(pool, store, items, protocol=FAST, group_size=2).models == 4
        stored = store.measurements(pool.info().fingerprint)
    units = [each.measurement.device.unit for each in stored]
    assert units.count("unit1") == units.count("unit2") == 2
    assert {each.measurement.label for each in stored} == {item.label for item in items}


def write(folder: Path, text: str) -> Device:
    (folder / "boards.txt").write_text(text)
    return get_device(f"pool:{folder / 'boards.txt'}")


def test_a_file_names_the_devices(tmp_path: Path, candidates: list[Candidate]) -> None:
    pool = write(tmp_path, "# a drawer\nsimulated:seed=1\n\n  simulated:seed=2  # the left one\n")
    assert isinstance(pool, DevicePool)
    assert [member.name for member in pool.members] == ["simulated:seed=1", "simulated:seed=2"]
    assert pool.info().name == pool.name == f"pool:{tmp_path / 'boards.txt'}"
    assert {result.device.unit for result in measured(pool, candidates).values()} == {
        "simulated:seed=1",
        "simulated:seed=2",
    }


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "no name of a device"),
        ("# nothing\n", "no name of a device"),
        ("cpu\nopenvino\n", "cpu and openvino, which are on one machine"),
        ("ssh://board/cpu\nssh://board/ncnn\n", "ssh://board/cpu and ssh://board/ncnn, which are on one machine"),
        ("ssh://me@board/cpu\nssh://board:22/cpu\n", "ssh://me@board/cpu and ssh://board:22/cpu, which are on one"),
        ("pool:other.txt\n", "pool:other.txt, which is several devices itself"),
        ("telephone\n", "'telephone'"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, seen: str) -> None:
    pool = write(tmp_path, text)
    with pytest.raises(UserError, match=f"got {seen}"):
        pool.info()
    assert not pool.availability().available


def test_boards_behind_ssh_are_different_machines(tmp_path: Path) -> None:
    pool = write(tmp_path, "ssh://me@board1/cpu\nssh://me@board2/cpu\n")
    assert isinstance(pool, DevicePool)
    assert [member.machine for member in pool.find_members()] == ["ssh://board1:22", "ssh://board2:22"]


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    assert "No such file" in get_device(f"pool:{tmp_path / 'none.txt'}").availability().reason
    assert "no file" in get_device("pool").availability().reason


def test_it_is_the_same_device_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = write(tmp_path, "simulated\n")
    monkeypatch.chdir(tmp_path)
    here = get_device("pool:boards.txt")
    assert here.info().fingerprint == pool.info().fingerprint
    monkeypatch.chdir("/")
    assert here.availability().available
    assert get_device(here.full_name("pool:boards.txt")).info() == pool.info()
    assert get_device("pool:~nobody-of-this-name/boards.txt").availability().available is False


def test_places_with_the_signs_of_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a=b", "a,b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "boards.txt").write_text("simulated\n")
        monkeypatch.chdir(tmp_path / name)
        assert get_device(get_device("pool:boards.txt").full_name("pool:boards.txt")).availability().available


@pytest.mark.parametrize("name", ["cluster:cluster:cpu", "cluster:pool:boards.txt"])
def test_a_machine_of_a_cluster_is_no_pool_itself(name: str) -> None:
    """It would wait for the cores that it holds."""
    device = get_device(name)
    assert isinstance(device, DevicePool)
    with pytest.raises(DeviceUnavailableError, match="which is several devices itself"):
        device.find_members()


@pytest.mark.parametrize("name", ["pool:boards.txt", "cluster:cpu", "page"])
def test_a_bundle_names_none_of_them(name: str) -> None:
    with pytest.raises(UserError, match="a device of another machine, named in a file"):
        get_device_here(name)
