"""Equal devices as one: what is to be measured is dealt over them, each at its own machine."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from devices.pool_units import PoolUnits
from devices.prepared import prepare
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError, UserError

_logger = logging.getLogger(__name__)

Result = Measurement | FailedMeasurement
Measure = Callable[[Device, Sequence[Candidate]], Iterator[Result]]
Arrived = SimpleQueue[tuple[Device, Result | Exception | None]]


class DevicePool(Device):
    """Several devices of one kind that measure different models at the same time.

    The fingerprint is that of the kind under the pool's own name; each measurement says on which unit it was taken
    (``DeviceInfo.unit``). A device that fails is left out from then on, and others take over what it had.
    """

    on_units: Callable[[PoolUnits], None] = staticmethod(lambda _: None)
    """Called whenever the state of the devices may have changed."""
    _left_out: int = 0

    @abstractmethod
    def find_members(self) -> Sequence[Device]:
        """The devices, those included that cannot be used now; no two of one machine. Asked once.

        Raises:
            DeviceUnavailableError: there are none.
            UserError: one of them is no device.
        """

    @cached_property
    def members(self) -> list[Device]:
        """The devices that can be used.

        Raises:
            DeviceUnavailableError: there are none, or they are not of one kind.
        """
        found = {member: member.availability() for member in self.find_members()}
        missing = {member: status for member, status in found.items() if not status.available}
        for member, status in missing.items():
            _logger.warning("%s is left out of %s: %s", member.name, self.name, status.reason)
        self._left_out = len(missing)
        if len(missing) == len(found):
            member, status = next(iter(missing.items()))
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=f"none that can be used, {member.name}: {status.reason}",
                expected="at least one", remedy=status.remedy,
            )  # fmt: skip
        usable = [member for member in found if member not in missing]
        self._require_one_kind(usable)
        return usable

    @property
    @override
    def parallel(self) -> int:
        return len(self.members)

    def unit_counts(self, measuring: int = 0) -> PoolUnits:
        """The state of the devices, of which so many measure; raises as ``members``."""
        return PoolUnits(len(self.members), measuring, self._left_out)

    @override
    def availability(self) -> Availability:
        try:
            return Availability(bool(self.members))
        except UserError as error:
            return Availability(False, str(error.seen), error.remedy)

    @override
    def info(self) -> DeviceInfo:
        return replace(self.members[0].info(), name=self.name)

    @override
    def check(self, candidate: Candidate) -> None:
        self.members[0].check(candidate)

    @property
    def listed_weights_are_inputs(self) -> bool:  # type: ignore[override]
        """As of the kind."""
        return self.members[0].listed_weights_are_inputs

    @property
    def relu_as_clip_is_slower(self) -> bool:  # type: ignore[override]
        """As of the kind."""
        return self.members[0].relu_as_clip_is_slower

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        return self.members[0].infer(path, inputs)

    @override
    def other_load(self) -> float:
        return max(member.other_load() for member in self.members)

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Result]:
        """As the contract says; candidates of one device are timed in turns, those of different ones at once."""

        def on(member: Device, part: Sequence[Candidate]) -> Iterator[Result]:
            return member.measure(part, nominal_reference_ms=nominal_reference_ms, protocol=protocol, seed=seed)

        for candidate in candidates:
            prepare(candidate)  # a bad file is refused before anything is timed
        return self._measured(candidates, on, seed)

    def _measured(self, candidates: Sequence[Candidate], measure: Measure, seed: int) -> Iterator[Result]:
        left = {candidate.label: candidate for candidate in candidates}
        while left:
            for member, result in self._results(self._dealt(list(left.values()), seed), measure):
                del left[result.label]
                yield replace(result, device=replace(result.device, name=self.name, unit=member.name))

    def _dealt(self, candidates: Sequence[Candidate], seed: int) -> list[tuple[Device, Sequence[Candidate]]]:
        """To each device about as many; another seed begins with another device."""
        count = len(self.members)
        parts = (candidates[(place - seed) % count :: count] for place in range(count))
        return [(member, part) for member, part in zip(self.members, parts, strict=True) if part]

    def _results(
        self, dealt: Sequence[tuple[Device, Sequence[Candidate]]], measure: Measure
    ) -> Iterator[tuple[Device, Result]]:
        """What the devices measure, as it comes; devices that fail are members no longer."""
        arrived: Arrived = SimpleQueue()
        for member, part in dealt:
            # Not waited for: it may be in the middle of a measurement when this process is interrupted.
            Thread(target=_measure, args=(member, part, measure, arrived), daemon=True).start()
        running = len(dealt)
        while running:
            self.on_units(self.unit_counts(running))
            member, found = arrived.get()
            if isinstance(found, Measurement | FailedMeasurement):
                yield member, found
                continue
            running -= 1
            if found is not None:
                self._leave_out(member, found)
        self.on_units(self.unit_counts())

    def _leave_out(self, member: Device, error: Exception) -> None:
        """Raises ``error`` where it is not that of one device, or of the last one."""
        if not isinstance(error, DeviceUnavailableError) or len(self.members) == 1:
            raise error
        _logger.warning("%s is left out of %s: %s", member.name, self.name, error)
        self.members.remove(member)
        self._left_out += 1

    def _require_one_kind(self, members: Sequence[Device]) -> None:
        first = members[0].info()
        for member in members[1:]:
            differences = [name for name in member.info().differences(first) if name != "name"]
            if differences:
                raise DeviceUnavailableError(
                    f"device {self.name!r}",
                    seen=f"{members[0].name} and {member.name}, which differ in {', '.join(differences)}",
                    expected="devices of one kind, whose measurements may be mixed",
                    remedy="make a pool of each kind",
                )


def _measure(member: Device, part: Sequence[Candidate], measure: Measure, arrived: Arrived) -> None:
    """Passes on what the device measures, then None or what it failed with."""
    try:
        for result in measure(member, part):
            arrived.put((member, result))
    except Exception as error:
        arrived.put((member, error))
    else:
        arrived.put((member, None))
