"""A search on a real Ray cluster of three machines (processes of this one): machines and the search are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from devices.cluster.connection import connected
from devices.cluster.node_device import NodeDevice
from devices.device import Candidate
from devices.registry import get_device
from foundation.errors import UserError
from latseg.testing.device_contract import FAST
from latseg.testing.nets import saved, small_net
from latseg.testing.workers_contract import WorkersContract
from search.cluster.ray_workers import RayWorkers
from search.options import TrainingOptions
from search.spaces.registry import SPACES
from search.trials import TrialStore
from tests.search.cluster.test_trainer import job
from tests.search.cluster.toys import (
    DEVICE,
    DEVICE_TARGET,
    SLOW_S,
    SPACE,
    TARGET,
    WATCHED,
    noted,
    toy_config,
    toy_search,
)

pytest.importorskip("ray")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[3]
_MEMORY_BYTES = 80 * 2**20
_QUICK = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
"""A lost machine is noticed after seconds, and not after half a minute."""
_LONGEST_S = 100.0


@dataclass(frozen=True)
class Machines:
    cluster: Any
    last: Any
    """The last one that was added."""
    trainings: Path
    """The file in which they are noted."""
    environment: dict[str, str]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def driver(self, folder: Path) -> subprocess.Popen[str]:
        """A search in a process of its own, that has connected."""
        command = [sys.executable, "-m", "tests.search.cluster.driver", str(folder), self.address]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, **pipes)
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        return process


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Three machines with one core each and one without any, on which another package brings space and device."""
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("cluster")
    package = folder / "watched-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: watched\nVersion: 1\n")
    points = f"[latseg.spaces]\n{SPACE} = {TARGET}\n[latseg.devices]\n{DEVICE} = {DEVICE_TARGET}\n"
    (package / "entry_points.txt").write_text(points)
    paths = os.pathsep.join([str(ROOT), str(folder)])
    given = {"PYTHONPATH": paths, WATCHED: str(folder / "trainings.txt"), SLOW_S: "0.4"}
    given |= {"RAY_USAGE_STATS_ENABLED": "0"}
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    head = {"num_cpus": 1, "object_store_memory": _MEMORY_BYTES, "include_dashboard": False, "_system_config": _QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        watched = {f"latseg-device:{DEVICE}": 1}
        cluster.add_node(num_cpus=0, object_store_memory=_MEMORY_BYTES, resources=watched)
        both = {"latseg-device:simulated": 1, **watched}
        machine = {"num_cpus": 1, "object_store_memory": _MEMORY_BYTES, "resources": both}
        _, last = (cluster.add_node(**machine) for _ in range(2))
        yield Machines(cluster, last, folder / "trainings.txt", dict(os.environ))
    finally:
        cluster.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(autouse=True)
def known_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES.__dict__, "targets", {**SPACES.builtin, SPACE: TARGET})


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _LONGEST_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def stored(folder: Path) -> list[tuple[str, float]]:
    with TrialStore(folder / "trials.sqlite") as store:
        return [(trial.id, trial.quality) for trial in store.trials()]


def kept(folder: Path) -> set[str]:
    """Candidates of which the run's folder holds what they reached."""
    return {path.stem for path in folder.glob("evaluations/*.json")}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, float]]:
    """The trials of the same search without a cluster."""
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES.__dict__, "targets", {**SPACES.builtin, SPACE: TARGET})
        patch.setenv(SLOW_S, "0")
        patch.delenv(WATCHED, raising=False)
        toy_search(folder, toy_config(), None)
    return stored(folder)


class TestRayWorkers(WorkersContract):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def connection(cls, machines: Machines) -> Iterator[None]:
        with connected(machines.address) as TestRayWorkers.connected_to:
            yield

    connected_to: Any

    @override
    def make(self) -> RayWorkers:
        return RayWorkers(self.connected_to, TrainingOptions(threads=1))

    @override
    def jobs(self) -> list[str]:
        config = toy_config()
        return [job(config, widths) for widths in ([1], [2], [3, 1])]

    def test_every_machine_is_a_worker(self) -> None:
        assert self.make().fleet().workers == 3

    def test_a_training_that_fits_nowhere_is_told(self) -> None:
        with pytest.raises(UserError, match=r"no machine with room for a training; expected 2 cores; start more"):
            RayWorkers(self.connected_to, TrainingOptions(threads=2))


def test_the_machines_with_a_device_measure_as_one(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", machines.address)
    path = saved(small_net(), tmp_path / "small.onnx")
    candidates = [Candidate(f"net{number}", path) for number in range(4)]
    how: dict[str, Any] = {"nominal_reference_ms": 2.0, "protocol": FAST, "seed": 3}
    with connected(machines.address):
        device = get_device("cluster:simulated")
        assert device.availability().available
        assert device.parallel == 2
        assert device.info().hardware == "invented"
        found = {result.label: result for result in device.measure(candidates, **how)}
        other = get_device("cluster:cpu").availability()
        with pytest.raises(UserError, match=r"Ray cluster other:1: got a connection to .*; set RAY_ADDRESS=other:1"):
            connected("other:1").__enter__()
    here = {result.label: result for result in get_device("simulated").measure(candidates, **how)}
    assert {label: one.latency_ms for label, one in found.items()} == {k: one.latency_ms for k, one in here.items()}
    units = [found[f"net{number}"].device.unit for number in range(4)]
    assert units[0] == units[2] != units[1] == units[3]
    assert {result.device.name for result in found.values()} == {"cluster:simulated"}
    assert other.reason == "no machine with the resource latseg-device:cpu"


def noted_on(machines: Machines, machine: str) -> list[list[str]]:
    """What was noted on one machine: ``begins`` or ``ends``, and of what."""
    lines = [line.split() for line in machines.trainings.read_text().splitlines()]
    return [line[:2] for line in lines if line[2] == machine]


@pytest.mark.parametrize("cores", [1, 0])
def test_on_a_machine_nothing_runs_beside_a_measurement(machines: Machines, cores: int, tmp_path: Path) -> None:
    """Neither another measurement nor, where there are cores for one, a training."""
    machines.trainings.write_text("")
    text = job(toy_config(), [1])
    path = saved(small_net(), tmp_path / "small.onnx")
    how: dict[str, Any] = {"nominal_reference_ms": 2.0, "protocol": FAST}
    with connected(machines.address) as connection:
        resources = [(one["Resources"], one) for one in connection.ray.nodes() if one["Alive"]]
        usable = [(has.get("CPU", 0), one) for has, one in resources if f"latseg-device:{DEVICE}" in has]
        machine = dict(usable)[cores]
        device = NodeDevice(connection.ray, machine, get_device("simulated"), DEVICE, None)
        workers = RayWorkers(connection, TrainingOptions(threads=1))
        for number in range(45 * cores):
            workers.submit(f"training{number}", text)
        if cores:
            wait_for(lambda: bool(noted_on(machines, device.machine)))
        with ThreadPoolExecutor(2) as calls:
            candidates = [[Candidate(f"net{number}", path)] for number in range(2)]
            found = list(calls.map(lambda each: list(device.measure(each, **how)), candidates))
        workers.close()
    assert [result.label for results in found for result in results] == ["net0", "net1"]
    steps = noted_on(machines, device.machine)
    until = 1 + max(place for place, (_, name) in enumerate(steps) if name.startswith("net"))
    begun, ended = steps[:until:2], steps[1:until:2]
    assert [step for step, _ in begun] == ["begins"] * len(begun)
    assert [["ends", name] for _, name in begun] == ended
    names = [name for _, name in begun]
    assert sorted(name for name in names if name.startswith("net")) == ["net0", "net1"]
    assert (len(names) > 2) == bool(cores), "trainings ran there, too, where there is a core"


def test_a_search_that_is_killed_and_then_loses_a_machine_ends_as_it_would_have_without(
    machines: Machines, here: list[tuple[str, float]], tmp_path: Path
) -> None:
    first = machines.driver(tmp_path)
    wait_for(lambda: len(kept(tmp_path)) >= 2)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    known = kept(tmp_path)
    assert 2 <= len(known) < 10
    machines.trainings.write_text("")
    second = machines.driver(tmp_path)
    wait_for(lambda: len(kept(tmp_path)) >= len(known) + 2)
    machines.cluster.remove_node(machines.last, allow_graceful=False)
    out, err = second.communicate(timeout=_LONGEST_S)
    assert second.returncode == 0, err
    assert out.split() == [name for name, _ in here], "nothing but the result is on stdout"
    assert stored(tmp_path) == here
    again = noted(machines.trainings, "begins")
    assert not known & set(again), "what was known is not trained again"
    assert len(again) >= 12 - len(known)
    assert "3 workers" in err
    assert "12 trainings finished" not in err, "they are counted from the connection on"
    assert f"{12 - len(known)} trainings finished" in err
