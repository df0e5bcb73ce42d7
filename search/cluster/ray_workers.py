"""Workers of a Ray cluster: each training is a task, which Ray places where there is room and starts again elsewhere
where its machine is lost (https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import override

from devices.cluster.connection import Connection
from foundation.errors import UserError, first_line
from search.cluster.workers import Finished, Fleet, Workers
from search.options import TrainingOptions

_RAY_RETRIES = 3
"""Times that Ray itself starts a task again whose worker has ended."""


class RayWorkers(Workers):
    """As many workers as the machines of the cluster have room for trainings.

    Args:
        connection: to the cluster.
        training: says how many cores a training takes, and whether a GPU.

    Raises:
        UserError: no machine has room for a training, or the training device is one that Ray cannot hand out.
    """

    def __init__(self, connection: Connection, training: TrainingOptions) -> None:
        self._ray: Any = connection.ray
        self._needs = needs(training)
        as_task = self._ray.remote(num_cpus=self._needs["CPU"], num_gpus=self._needs["GPU"], max_retries=_RAY_RETRIES)
        self._task = as_task(_by_value())
        self._keys: dict[Any, str] = {}
        """Of the jobs that are not finished, by what Ray calls them."""
        self._finished = 0
        self._lost_before = 0
        before = self.fleet()
        self._lost_before = before.lost
        if not before.workers:
            raise UserError(
                f"cluster {connection.address}", seen="no machine with room for a training",
                expected=f"{self._needs['CPU']} cores" + " and a GPU" * self._needs["GPU"],
                remedy="start more machines (`ray start --address ADDRESS`), or lower --training-threads",
            )  # fmt: skip

    @override
    def submit(self, key: str, job: str) -> None:
        self._keys[self._task.remote(job)] = key

    @override
    def wait(self, seconds: float) -> list[Finished]:
        if not self._keys:
            return []
        first, _ = self._ray.wait(list(self._keys), timeout=seconds)
        # Those that finished together with the first one.
        ready, _ = self._ray.wait(list(self._keys), num_returns=len(self._keys), timeout=0) if first else ([], [])
        return [self._result(each) for each in ready]

    @override
    def fleet(self) -> Fleet:
        machines = self._ray.nodes()
        alive = [machine for machine in machines if machine["Alive"]]
        workers = sum(room(machine["Resources"], self._needs) for machine in alive)
        lost = len(machines) - len(alive) - self._lost_before
        return Fleet(workers, min(workers, len(self._keys)), self._finished, lost)

    @override
    def close(self) -> None:
        for each in self._keys:
            self._ray.cancel(each, force=True)
        self._keys.clear()

    def _result(self, each: Any) -> Finished:
        key = self._keys.pop(each)
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(each)
        except errors.RayTaskError as error:  # raised by the job itself, and not by the loss of its worker
            return Finished(key, None, error=_told(error))
        except errors.RayError as error:
            return Finished(key, None, first_line(error))
        self._finished += 1
        return Finished(key, answer)


def _told(error: Any) -> Exception:
    """What a job raised, as its user should read it."""
    if isinstance(error.cause, ImportError):
        return UserError(
            "a machine of the cluster", seen=str(error.cause), expected="the same packages as here",
            remedy="install latseg, and the plug-ins of the run, on every machine",
        )  # fmt: skip
    assert isinstance(error, Exception)
    return error


def needs(training: TrainingOptions) -> dict[str, int]:
    """Cores and GPUs of one training.

    Raises:
        UserError: the GPU is named by its number.
    """
    kind, _, number = training.device.partition(":")
    if number:
        raise UserError(
            "training device", seen=training.device, expected="cpu or cuda: a cluster hands out its GPUs itself",
            remedy="write --training-device cuda",
        )  # fmt: skip
    return {"CPU": training.threads, "GPU": int(kind == "cuda")}


def room(resources: Mapping[str, float], needs: Mapping[str, int]) -> int:
    """How many trainings a machine with these resources runs at a time."""
    return min(int(resources.get(name, 0.0) // need) for name, need in needs.items() if need)


def _by_value() -> Callable[[str], str]:
    """What a worker does; Ray sends a nested function whole, so that the task begins where latseg is missing, too."""

    def answer(job: str) -> str:
        from search.cluster.training_job import answered

        return answered(job)

    return answer
