"""Calibrates the bound near the budget, where a search decides: random nets are measured there first.

Guarantee: among random nets that are predicted near the budget, sampled as these were, the bound covers the wanted
share (``latency.conformal``), on the device as it was when they were measured. It does not hold for nets that a search
selected, since selecting fast nets selects those that are predicted too low. Winners are therefore measured.

Only the measurements are stored. Seed, predictor and budget determine which nets are sampled, and the measurement store
knows which of them were measured: a resumed search computes the same calibration, and a repeated one measures nothing
again. ``fit`` uses the nets like those of a campaign; the predictor that it makes is calibrated on others
(``BoundedPredictor.learned``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from devices.device import Device
from devices.protocol import MeasurementProtocol
from foundation.progress import OnProgress, Progress, ignore_progress
from latency.bounded import BoundedPredictor
from latency.campaign import run_campaign
from latency.campaign_items import CampaignItem
from latency.campaign_result import CampaignProgress
from latency.store import MeasurementStore
from search.constraints.budgets import Budgets, LatencyBudget
from search.constraints.near_budget_record import NearBudget, summary
from search.constraints.near_nets import NearNet, sample_near_nets
from search.spaces.space import SearchSpace

_logger = logging.getLogger(__name__)

STAGE = "near budget"


def calibrate_near_budget(
    space: SearchSpace,
    budgets: Budgets,
    devices: Mapping[str, Device],
    store: MeasurementStore,
    *,
    count: int,
    seed: int = 0,
    protocol: MeasurementProtocol | None = None,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Budgets, tuple[NearBudget, ...]]:
    """Measures nets near each latency budget; returns budgets with the calibrated predictors, and a record for each.

    Args:
        space: to sample.
        budgets: with the predictors as they were fitted.
        devices: by the name of the budget.
        store: takes the measurements, and knows those taken before.
        count: of nets for each device; 0 changes nothing.
        seed: of the sample and of the measurements.
        protocol: of the measurements.
        on_progress: called after each net.

    Raises:
        DeviceUnavailableError: a device cannot be used here.
        UserError: the store cannot be written.
        KeyboardInterrupt: on Ctrl-C; what was measured is not measured again.
    """
    if count < 1:
        return budgets, ()
    calibrator = _Calibrator(space, budgets, store, count, seed, protocol or MeasurementProtocol(), on_progress)
    pairs = [calibrator.calibrated(budget, devices[budget.device]) for budget in budgets.latencies]
    latencies = tuple(budget for budget, _ in pairs)
    return replace(budgets, latencies=latencies), tuple(record for _, record in pairs if record is not None)


@dataclass(frozen=True, slots=True)
class _Calibrator:
    space: SearchSpace
    budgets: Budgets
    store: MeasurementStore
    count: int
    seed: int
    protocol: MeasurementProtocol
    on_progress: OnProgress

    def calibrated(self, budget: LatencyBudget, device: Device) -> tuple[LatencyBudget, NearBudget | None]:
        """The budget with its predictor calibrated; no record where the predictor has no calibration (a formula)."""
        before = budget.predictor
        if not isinstance(before, BoundedPredictor):
            return budget, None
        nets, examined = self._sample(budget, before)
        self._measure(device, budget, nets)
        fingerprint = device.info().fingerprint
        ratios = self._ratios(fingerprint, nets)
        after = before.with_near_budget(ratios) if ratios else before
        record = NearBudget(
            device=budget.device,
            wanted=self.count,
            examined=examined,
            nets=len(ratios),
            failed=len(nets) - len(ratios),
            ratios=tuple(ratios),
            factor_before=before.calibration.factor,
            factor_after=after.calibration.factor,
            statement="",
        )
        statement = summary(record, budget.maximum_ms, after.calibration.statement, self._reason(fingerprint, nets))
        _logger.info("calibration near the budget of %s: %s", budget.device, statement)
        return replace(budget, predictor=after), record.model_copy(update={"statement": statement})

    def _sample(self, budget: LatencyBudget, predictor: BoundedPredictor) -> tuple[list[NearNet], int]:
        return sample_near_nets(
            self.space,
            budget,
            self.count,
            Random(f"{self.seed}/near-budget/{budget.device}"),
            parameters=self.budgets.parameters,
            fitted=predictor.learned,
            on_found=lambda found: self._report(0, self.count, f"{found} nets found for {budget.device}"),
        )

    def _measure(self, device: Device, budget: LatencyBudget, nets: list[NearNet]) -> None:
        def report(progress: CampaignProgress) -> None:
            latest = "failed" if progress.latency_ms is None else f"{progress.latency_ms:.2f} ms"
            self._report(len(nets) - progress.total + progress.done, len(nets), f"{latest} on {budget.device}")

        if nets:
            items = [CampaignItem(net.label, net.graph, "campaign") for net in nets]
            run_campaign(device, self.store, items, protocol=self.protocol, seed=self.seed, on_progress=report)

    def _ratios(self, fingerprint: str, nets: list[NearNet]) -> list[float]:
        ratios = []
        for net in nets:
            # The first of several: later ones must not move a calibration that a search has begun with.
            stored = self.store.measurements(fingerprint, sources={"campaign"}, label=net.label)
            ratios += [one.measurement.latency_ms / net.predicted_ms for one in stored[:1]]
            _logger.debug(
                "net %s: %.4g ms predicted, measured / predicted: %s", net.label, net.predicted_ms, ratios[-1:]
            )
        return ratios

    def _reason(self, fingerprint: str, nets: list[NearNet]) -> str:
        labels = {net.label for net in nets}
        return next((f.reason for f in self.store.failures(fingerprint) if f.label in labels), "")

    def _report(self, done: int, total: int, note: str) -> None:
        self.on_progress(Progress(STAGE, done, total, note=note))
