"""The device of one machine of a cluster: models are sent there and measured there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.cluster.node_job import NodeJob, NodeModel, RefusedJobError, info_of, results_of
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from devices.prepared import prepare
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError, first_line

Answer = TypeVar("Answer")
RESOURCE = "latseg-device:"
"""What a machine declares for each device, with the device's name behind it and the value 1."""


class NodeDevice(Device):
    """Measures on one machine, and never beside anything else of the cluster.

    A measurement asks Ray for the machine's device and for all of its cores: another measurement, or a training, is not
    begun there at the same time.

    Args:
        ray: the module, connected.
        machine: as ``ray.nodes`` describes it.
        kind: the same device of this machine; it is not measured.
        text: the device's name there.
        threads: of its runtime.
    """

    def __init__(self, ray: Any, machine: Mapping[str, Any], kind: Device, text: str, threads: int | None) -> None:
        self._ray, self._machine, self._kind = ray, machine, kind
        self._job = NodeJob(device=text, threads=threads)
        self.name = f"{kind.name} on {machine['NodeManagerHostname']} ({machine['NodeID'][:8]})"

    @property
    @override
    def machine(self) -> str:
        return str(self._machine["NodeID"])

    @override
    def availability(self) -> Availability:
        try:
            return Availability(bool(self._info))
        except DeviceUnavailableError as error:
            return Availability(False, str(error.seen), error.remedy)

    @override
    def info(self) -> DeviceInfo:
        return self._info

    @cached_property
    def _info(self) -> DeviceInfo:
        return self._asked(self._job, info_of, cores=0, resources={})

    @property
    def listed_weights_are_inputs(self) -> bool:  # type: ignore[override]
        """As of the kind."""
        return self._kind.listed_weights_are_inputs

    @property
    def relu_as_clip_is_slower(self) -> bool:  # type: ignore[override]
        """As of the kind."""
        return self._kind.relu_as_clip_is_slower

    @override
    def check(self, candidate: Candidate) -> None:
        self._kind.check(candidate)

    @override
    def other_load(self) -> float:
        """Not known; nothing of the cluster runs beside a measurement."""
        return 0.0

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """Computed on this machine, by the same runtime."""
        return self._kind.infer(path, inputs)

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        for each in candidates:
            prepare(each)
        models = tuple(NodeModel.of(each, self._kind.parts(each.path)) for each in candidates)
        how = {"nominal_reference_ms": nominal_reference_ms, "protocol": protocol, "seed": seed, "models": models}
        cores = self._machine["Resources"].get("CPU", 0.0)
        alone = {f"{RESOURCE}{self._job.device}": 1}
        return iter(self._asked(self._job.model_copy(update=how), results_of, cores=cores, resources=alone))

    def _asked(
        self, job: NodeJob, read: Callable[[str], Answer], *, cores: float, resources: Mapping[str, float]
    ) -> Answer:
        """What the machine answers, when it has so many cores and resources free.

        Raises:
            DeviceUnavailableError: it is lost, or cannot use its device.
        """
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            self._machine["NodeID"], soft=False
        )
        task = self._ray.remote(num_cpus=cores, resources=dict(resources), scheduling_strategy=strategy)(_by_value())
        try:
            return read(self._ray.get(task.remote(job.model_dump_json())))
        except (self._ray.exceptions.RayError, RefusedJobError) as error:
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=first_line(getattr(error, "cause", None) or error),
                expected="a machine that measures with it",
                remedy=getattr(error, "remedy", "look into the logs of the cluster"),
            ) from error  # fmt: skip


def _by_value() -> Callable[[str], str]:
    """What a machine does; Ray sends a nested function whole, so that a missing package is told as one."""

    def answer(job: str) -> str:
        from devices.cluster.node_job import done

        return done(job)

    return answer
