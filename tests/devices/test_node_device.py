"""What a measurement on a machine of a cluster asks Ray for, without Ray."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from devices.cluster.node_device import NodeDevice
from devices.device import Candidate
from devices.registry import get_device
from foundation.errors import DeviceUnavailableError
from latseg.testing.device_contract import FAST
from latseg.testing.nets import saved, small_net

MACHINE = {
    "NodeID": "0123456789abcdef",
    "NodeManagerHostname": "board",
    "Resources": {"CPU": 6.0, "memory": 1e9, "latseg-device:simulated": 1.0, "latseg-device:cpu": 1.0},
}
CORELESS = {**MACHINE, "Resources": {"latseg-device:simulated": 1.0}}


class Affinity(NamedTuple):
    node_id: str
    soft: bool


class RayError(Exception):
    pass


class Ray:
    """Notes what tasks ask for, and does them at once."""

    exceptions = SimpleNamespace(RayError=RayError)
    util = SimpleNamespace(scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=Affinity))

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.lost = False

    def remote(self, **options: Any) -> Callable[[Callable[[str], str]], Any]:
        self.asked.append(options)
        return lambda task: SimpleNamespace(remote=task)

    def get(self, answer: str) -> str:
        if self.lost:
            raise RayError("the machine has died\nand more")
        return answer


@pytest.fixture
def ray() -> Ray:
    return Ray()


def device_of(ray: Ray, machine: dict[str, Any]) -> NodeDevice:
    return NodeDevice(ray, machine, get_device("simulated"), "simulated", None)


@pytest.mark.parametrize(("machine", "cores"), [(MACHINE, 6.0), (CORELESS, 0.0)])
def test_a_measurement_takes_the_device_and_all_cores_of_its_machine(
    ray: Ray, tmp_path: Path, machine: dict[str, Any], cores: float
) -> None:
    """So nothing of the cluster runs beside it: no other measurement, and no training, which takes a core."""
    candidates = [Candidate(name, saved(small_net(), tmp_path / "net.onnx")) for name in ("one", "two")]
    found = list(device_of(ray, machine).measure(candidates, nominal_reference_ms=2.0, protocol=FAST, seed=3))
    assert ray.asked == [
        {
            "num_cpus": cores,
            "resources": {"latseg-device:simulated": 1},
            "scheduling_strategy": Affinity("0123456789abcdef", soft=False),
        }
    ]
    assert found == list(get_device("simulated").measure(candidates, nominal_reference_ms=2.0, protocol=FAST, seed=3))


def test_a_description_does_not_wait_for_what_runs_there(ray: Ray) -> None:
    device = device_of(ray, MACHINE)
    assert device.info() == device.info() == get_device("simulated").info()
    assert device.machine == "0123456789abcdef"
    (asked,) = ray.asked
    assert (asked["num_cpus"], asked["resources"]) == (0, {})
    assert asked["scheduling_strategy"] == Affinity("0123456789abcdef", soft=False)


def test_a_machine_that_is_lost_is_told_in_a_line(ray: Ray, tmp_path: Path) -> None:
    ray.lost = True
    device = device_of(ray, MACHINE)
    assert device.availability().reason == "the machine has died"
    candidate = Candidate("net", saved(small_net(), tmp_path / "net.onnx"))
    with pytest.raises(DeviceUnavailableError, match=r"'simulated on board \(01234567\)': got the machine has died"):
        device.measure([candidate], nominal_reference_ms=2.0, protocol=FAST)
