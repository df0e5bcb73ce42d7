"""The profiling campaign: measures nets and operators on a device, resumable at any moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from devices.device import Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.plausible import checked
from devices.protocol import MeasurementProtocol
from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder
from latency.campaign_groups import CampaignGroup, campaign_groups
from latency.campaign_items import CampaignItem
from latency.campaign_models import written_models
from latency.campaign_noise_floor import checked_noise_floor, measured_nets, noise_floor_of_repeats
from latency.campaign_result import CampaignFailure, CampaignProgress, CampaignResult, described, item_name
from latency.claims import POLL_S, Claims
from latency.noise_floor import adapt_protocol
from latency.nominal_time import reference_ms, refreshed_reference_ms
from latency.operators.synthesize import with_tensor_names
from latency.store import MeasurementStore

_logger = logging.getLogger(__name__)


def run_campaign(
    device: Device,
    store: MeasurementStore,
    items: Sequence[CampaignItem],
    *,
    protocol: MeasurementProtocol,
    passes: int = 1,
    group_size: int = 8,
    minutes: float | None = None,
    seed: int = 0,
    retry_failed: bool = False,
    on_progress: Callable[[CampaignProgress], None] | None = None,
) -> CampaignResult:
    """Measures the items that the store does not hold for this device, in their order, each stored at once.

    With several ``passes`` each net is measured so many times, by another process, minutes later and beside other nets,
    with a part of the protocol's blocks each: a machine's speed drifts, for different nets by different factors, and a
    longer measurement at one moment does not help against that. How much the repeats differ becomes the device's noise
    floor. Single operators are measured once.

    Items that failed before are skipped unless ``retry_failed``. After ``minutes`` no further group is begun. The
    models of a group are timed in turns, so their results arrive together: Ctrl-C or kill loses at most the running
    group, and the next call continues after the last one stored. Several processes may run the same campaign at once:
    each measurement is taken by one of them.

    Raises:
        DeviceUnavailableError: the device cannot be used here.
        UserError: the store cannot be written.
    """
    started = time.monotonic()
    claims = store.claims(device.info().fingerprint, retry_failed=retry_failed)
    with TemporaryFolder() as temporary:
        folder = temporary.path
        try:
            with claims.turn("A/A check"):
                floor = checked_noise_floor(device, store, items, folder, protocol, seed)
                nominal_ms = reference_ms(device, store)
            adapted = adapt_protocol(protocol, floor)
            campaign = _Campaign(
                device, store, claims, adapted, passes, nominal_ms, folder, on_progress, started, minutes
            )
            pending = [campaign.pending(items, number, retry_failed=retry_failed) for number in range(passes)]
            for number, labels in enumerate(pending):
                size = group_size * device.parallel
                campaign.run(campaign_groups(items, labels, group_size=size, seed=seed, pass_number=number))
            if passes > 1:
                with claims.turn("A/A check by repeats"):
                    measured = measured_nets(device, store, items)
                    refreshed_reference_ms(device, store, measured)
                    floor = noise_floor_of_repeats(device, store, measured)
        finally:
            claims.release()
    return campaign.result(items, floor)


@dataclass(slots=True)
class _Campaign:
    device: Device
    store: MeasurementStore
    claims: Claims
    protocol: MeasurementProtocol
    passes: int
    nominal_ms: float
    folder: Path
    on_progress: Callable[[CampaignProgress], None] | None
    started: float
    minutes: float | None
    total: int = 0
    """Measurements of this run that no other process has taken."""
    measured: int = 0
    failed: int = 0
    info: DeviceInfo = field(init=False)
    _first_group: float = 0.0
    _begun: int = 0

    def __post_init__(self) -> None:
        self.info = self.device.info()

    def pending(self, items: Sequence[CampaignItem], number: int, *, retry_failed: bool) -> set[str]:
        """Labels of the items to be measured in the pass of this number."""
        measured = self.store.measured_labels(self.info.fingerprint, times=number + 1)
        failed = {} if retry_failed else {one.label: one.reason for one in self.store.failures(self.info.fingerprint)}
        pending = set()
        for item in {item.label: item for item in items}.values():
            if number and item.source == "operator":
                continue
            if item.label in measured:
                _logger.info("%s: skipped, its measurement is stored", item_name(item))
            elif item.label in failed:
                _logger.info("%s: skipped, it failed before: %s", item_name(item), failed[item.label])
            else:
                pending.add(item.label)
        self.total += len(pending)
        return pending

    def expired(self) -> bool:
        return self.minutes is not None and time.monotonic() - self.started > 60 * self.minutes

    def run(self, groups: Sequence[CampaignGroup]) -> None:
        """Measures the groups of a pass; waits for what other processes measure, and takes it over where they died."""
        groups = self._taken(groups)
        if groups:
            count = sum(len(group.items) for group in groups)
            _logger.warning("waiting for another process, which is measuring %d models", count)
        while groups:
            time.sleep(POLL_S)
            groups = self._taken(groups)

    def _taken(self, groups: Sequence[CampaignGroup]) -> list[CampaignGroup]:
        """Measures what is free; returns what others are measuring, nothing where the time is over."""
        left = []
        for group in groups:
            if self.expired():
                _logger.info("stopped after %g minutes", self.minutes)
                return []
            taken = self.claims.take(group.labels, times=group.pass_number + 1)
            self.total -= len(taken.settled)
            if taken.own:
                self.measure(group.only(taken.own))
            if taken.others:
                left.append(group.only(taken.others))
        return left

    def measure(self, group: CampaignGroup) -> None:
        """Measures one group and stores each result as it comes."""
        by_label = {item.label: item for item in group.items}
        self._first_group = self._first_group or time.monotonic()
        self._begun += len(group.items)
        with written_models(group.items, self.folder, self._reject) as candidates:
            if not candidates:
                return
            for candidate in candidates:
                _logger.info("%s: measuring on %s", item_name(by_label[candidate.label]), self.device.name)
            protocol = group.protocol(self.protocol, self.passes)
            results = self.device.measure(
                candidates, nominal_reference_ms=self.nominal_ms, protocol=protocol, seed=group.seed
            )
            try:
                for result in results:
                    self._keep(by_label[result.label], checked(result))
            finally:
                # Ends the worker of a generator that was not run to its end.
                getattr(results, "close", lambda: None)()

    def result(self, items: Sequence[CampaignItem], noise_floor: NoiseFloor | None) -> CampaignResult:
        """Counts over all items."""
        held = self.store.measured_labels(self.info.fingerprint)
        complete = self.store.measured_labels(self.info.fingerprint, times=self.passes)
        reasons = {failure.label: failure.reason for failure in self.store.failures(self.info.fingerprint)}
        unique = list({item.label: item for item in items}.values())
        sources = [item.source for item in unique if item.label in held]
        return CampaignResult(
            models=sum(source != "operator" for source in sources),
            operators=sources.count("operator"),
            failures=tuple(
                CampaignFailure(described(item), reasons[item.label])
                for item in unique
                if item.label in reasons and item.label not in held and not item.is_neighbourhood
            ),
            left=sum(
                item.label not in (held if item.source == "operator" else complete) and item.label not in reasons
                for item in unique
            ),
            measured=self.measured,
            noise_floor=noise_floor,
            seconds=time.monotonic() - self.started,
        )

    def _keep(self, item: CampaignItem, result: Measurement | FailedMeasurement) -> None:
        if not self._stored(item, result):
            _logger.warning("%s: dropped, another process has taken it over", item_name(item))
            self.total -= 1
            return
        if isinstance(result, Measurement):
            self.measured += 1
            _logger.debug("%s: %.3f ms, interval %s", item_name(item), result.latency_ms, result.interval_ms)
        else:
            self.failed += 1
            _logger.info("%s: failed: %s", item_name(item), result.reason)
        self._report(item.label, result.latency_ms if isinstance(result, Measurement) else None)

    def _stored(self, item: CampaignItem, result: Measurement | FailedMeasurement) -> bool:
        if isinstance(result, FailedMeasurement):
            return self.store.add_failure(result, source=item.source, claims=self.claims)
        graph = with_tensor_names(item.graph)
        return self.store.add_measurement(result, graph, source=item.source, claims=self.claims)

    def _reject(self, item: CampaignItem, error: UserError) -> None:
        """An item that cannot even be written as a model."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._keep(item, FailedMeasurement(item.label, "", self.info, str(error), now))

    def _report(self, label: str, latency_ms: float | None) -> None:
        if self.on_progress is None:
            return
        # A group's results arrive together at its end: the time so far is shared by all items begun.
        pace = (time.monotonic() - self._first_group) / max(1, self._begun)
        done = self.measured + self.failed
        note = "latest failed" if latency_ms is None else f"{latency_ms:.2f} ms"
        self.on_progress(
            CampaignProgress(
                "measuring",
                done,
                self.total,
                f"{note}, {self.failed} failed" if self.failed else note,
                failed=self.failed,
                label=label,
                latency_ms=latency_ms,
                seconds_left=pace * (self.total - done),
            )
        )
