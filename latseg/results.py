"""What the methods of a device return; ``to_json`` is the document that the command of the same name prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.support import Verdict
from latseg.table import Table

if TYPE_CHECKING:
    from devices.device_info import DeviceInfo
    from devices.measurement import Measurement, NoiseFloor
    from latency.bounded import BoundedPrediction, BoundedPredictor
    from latency.campaign_result import CampaignFailure, CampaignResult
    from latency.fit import FitResult
    from latency.measuring import Measured
    from latency.model_support import ModelSupport
    from latency.operators.operator import OperatorGraph
    from latency.scores import Scores

_IN_USE = "arbitrated"
"""Key of the predictor in use under ``predictors`` of ``fit --json``, whatever its kind; ``handed_over`` names it."""


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What the workspace holds of a profile: measured now or earlier."""

    device: DeviceInfo
    chosen: bool
    """Whether the nets were chosen by what other devices have shown, and not sampled."""
    campaign: CampaignResult

    @property
    def models(self) -> int:
        """Nets measured."""
        return self.campaign.models

    @property
    def operators(self) -> int:
        """Models of operators measured, alone and among others."""
        return self.campaign.operators

    @property
    def failed(self) -> int:
        """Models that could not be measured."""
        return self.campaign.failed

    @property
    def failures(self) -> tuple[CampaignFailure, ...]:
        """These models, and why."""
        return self.campaign.failures

    @property
    def left(self) -> int:
        """Models that the limit of minutes left undone."""
        return self.campaign.left

    @property
    def noise_floor_percent(self) -> float | None:
        """How far two measurements of one net differ."""
        return self.campaign.noise_floor.normalised_percent if self.campaign.noise_floor else None

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg profile --json``."""
        noise = self.campaign.noise_floor
        return {
            "device": self.device.name,
            "fingerprint": self.device.fingerprint,
            "hardware": self.device.hardware,
            "simulated": self.device.simulated,
            "models": self.models,
            "chosen": self.chosen,
            "operators": self.operators,
            "failed": self.failed,
            "failures": [asdict(failure) for failure in self.failures],
            "left": self.left,
            "noise_floor_percent": self.noise_floor_percent,
            "raw_noise_percent": noise.raw_percent if noise else None,
            "seconds": self.campaign.seconds,
        }


@dataclass(frozen=True, slots=True)
class FitReport:
    """How well the predictors did on nets held out. The predictor in use is saved in the workspace."""

    device: DeviceInfo
    result: FitResult
    alpha: float
    in_use: str
    """In a sentence: which predictor is in use, and what its bound is calibrated on."""
    path: Path
    """Folder of the predictor."""

    @property
    def scores(self) -> Mapping[str, Scores]:
        """Errors on the nets held out, by predictor."""
        return self.result.summary.predictors

    @property
    def coverage(self) -> float:
        """Share of the nets held out whose latency is within the bound."""
        return self.result.summary.coverage

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg fit --json``."""
        calibration, summary = self.result.predictor.calibration, self.result.summary
        scores = {**summary.predictors, _IN_USE: summary.predictors[summary.handed_over]}
        return {
            "device": self.device.name,
            "fingerprint": self.device.fingerprint,
            "handed_over": summary.handed_over,
            "predictors": {name: asdict(each) for name, each in scores.items()},
            "coverage": summary.coverage,
            "alpha": self.alpha,
            "slack": summary.bound_ratio,
            "bound": calibration.statement,
            "calibration_nets": calibration.held_out.count,
            "test_models": summary.test_models,
            "seconds": summary.seconds,
            "path": str(self.path),
        }


@dataclass(frozen=True, slots=True)
class PredictedModel:
    """The predicted latency of one model."""

    predictor: BoundedPredictor
    prediction: BoundedPrediction
    graph: OperatorGraph
    operators: Table
    """One row for each operator: kind, attributes, input, output, mflops, ms, share_percent; ``known`` says where
    operators like it were measured; ``measured_ms`` and ``kernel`` where this very model was measured before."""
    measured: Measurement | None
    """The latest measurement of this very model on the device, if the workspace has one."""

    @property
    def latency_ms(self) -> float:
        """The predicted latency."""
        return self.prediction.latency_ms

    @property
    def upper_ms(self) -> float:
        """The upper bound: where it is ``calibrated``, exceeded with probability ``1 - confidence`` at most."""
        return self.prediction.upper_ms

    @property
    def calibrated(self) -> bool:
        """Whether the bound was calibrated for such nets; else an operator was never measured, and it is a guess."""
        return not self.prediction.unseen

    @property
    def confidence(self) -> float:
        """Share of nets, like those calibrated on, that are within the bound."""
        return self.predictor.calibration.held_out.confidence

    @property
    def simulated(self) -> bool:
        """Whether the device is simulated; then nothing was ever timed."""
        return self.predictor.device_info.simulated

    @property
    def unseen(self) -> Table:
        """Rows of the operators of a kind or size that was never measured; they widen the bound."""
        return self._rows(self.prediction.unseen)

    @property
    def measured_alone(self) -> Table:
        """Rows of the operators that were measured in models of their own, but never within a net."""
        return self._rows(self.prediction.isolated)

    @property
    def seen_percent(self) -> float:
        """Share of the predicted time that belongs to operators that were measured."""
        unseen_ms = sum(self.prediction.operators_ms[position] for position in self.prediction.unseen)
        return round(100 * (1 - unseen_ms / self.latency_ms), 2)

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg predict --json``, without its warnings."""
        return {
            "latency_ms": self.latency_ms,
            "upper_ms": self.upper_ms,
            "calibrated": self.calibrated,
            "constant_ms": self.prediction.overhead_ms,
            "seen_percent": self.seen_percent,
            "confidence": self.confidence,
            "calibration_nets": self.predictor.calibration.held_out.count,
            "device": self.predictor.device_info.to_json(),
            "simulated": self.simulated,
            "flops": self.graph.flops,
            "parameters": self.graph.parameters,
            "operators": list(self.operators),
            "unseen": list(self.unseen),
            "measured_alone": list(self.measured_alone),
            "measured": self.measured
            and {
                "latency_ms": self.measured.latency_ms,
                "interval_ms": self.measured.interval_ms,
                "label": self.measured.label,
            },
        }

    def _rows(self, positions: tuple[int, ...]) -> Table:
        return Table([{"position": position, **self.operators[position]} for position in positions])


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """The measured latency of one model."""

    measured: Measured
    operators: Table
    """One row for each kernel that the runtime ran: kind, attributes, output, mflops, ms, share_percent, kernel."""

    @property
    def measurement(self) -> Measurement:
        """With every raw sample."""
        return self.measured.measurement

    @property
    def noise_floor(self) -> NoiseFloor:
        """Of the device."""
        return self.measured.noise_floor

    @property
    def latency_ms(self) -> float:
        """Median of the runs, normalised by the reference net."""
        return self.measurement.latency_ms

    @property
    def interval_ms(self) -> tuple[float, float]:
        """Contains 95 % of repeated measurements of ``latency_ms``."""
        return self.measured.repeat_interval_ms

    @property
    def simulated(self) -> bool:
        """Whether the device is simulated; then nothing was timed."""
        return self.measurement.simulated

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg measure --json``."""
        measured = self.measurement
        return {
            "latency_ms": measured.latency_ms,
            "interval_ms": self.interval_ms,
            "converged": measured.converged,
            "raw_median_ms": measured.raw_median_ms,
            "minimum_ms": measured.minimum_ms,
            "p90_ms": measured.p90_ms,
            "p99_ms": measured.p99_ms,
            "first_run_ms": measured.first_run_ms,
            "load_ms": measured.load_ms,
            "cpu_per_wall": measured.cpu_per_wall,
            "noise_floor_percent": self.noise_floor.normalised_percent,
            "raw_noise_percent": self.noise_floor.raw_percent,
            "normalised": measured.normalised,
            "simulated": measured.simulated,
            "device": measured.device.to_json(),
            "operators": list(self.operators),
            "samples": [[block.runs, block.candidate_ms, block.reference_ms] for block in measured.blocks],
        }


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """One of the two models of a comparison."""

    model: Path
    latency_ms: float
    operators: Table
    interval_ms: tuple[float, float] | None = None
    """None where the latency is predicted."""
    missing: str = ""
    """Why there are no operator times."""

    def to_json(self) -> dict[str, Any]:
        """Its part of the document of ``latseg compare --json``."""
        return {"model": str(self.model), "latency_ms": self.latency_ms, "interval_ms": self.interval_ms}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, measured in one interleaved group or predicted."""

    a: ComparedModel
    b: ComparedModel
    predicted: bool
    device: DeviceInfo
    operators: Table
    """One row for each kind, attributes and output shape: counts and milliseconds of both, and the difference (b - a);
    the largest difference first."""
    operators_missing: str
    """Why there are no rows."""

    @property
    def difference_ms(self) -> float:
        """Latency of ``b`` minus latency of ``a``."""
        return self.b.latency_ms - self.a.latency_ms

    @property
    def intervals_overlap(self) -> bool:
        """Whether the 95 % intervals of the two measurements overlap, so that the difference may be noise."""
        a, b = self.a.interval_ms, self.b.interval_ms
        return a is not None and b is not None and a[0] <= b[1] and b[0] <= a[1]

    def slower_by_over(self, percent: float) -> bool | None:
        """Whether ``b`` takes more than ``percent`` longer than ``a``; None where the two intervals leave it open."""
        limit = 1 + percent / 100
        a, b = (model.interval_ms or (model.latency_ms, model.latency_ms) for model in (self.a, self.b))
        if b[0] > limit * a[1]:
            return True
        return False if b[1] <= limit * a[0] else None

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg compare --json``, without its warnings."""
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "difference_ms": self.difference_ms,
            "predicted": self.predicted,
            "device": self.device.to_json(),
            "simulated": self.device.simulated,
            "operators": list(self.operators),
            "operators_missing": self.operators_missing,
        }


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """Whether a device runs a model."""

    model: Path
    device: DeviceInfo
    support: ModelSupport
    lost_time: list[str]
    """What costs time there for nothing, a sentence for each cause; ``fix`` removes it."""
    compiled: bool = False
    """Whether the vendor's compiler was asked and nothing ran on the hardware."""
    emulator: str = ""
    """The program that emulates the device's processor; empty where none does."""

    @property
    def supported(self) -> bool:
        """Whether the device runs the whole model, on the compute unit that it is meant for."""
        return self.support.verdict is Verdict.SUPPORTED

    @property
    def falls_back(self) -> bool:
        """Whether it runs, but a part of it on another compute unit."""
        return self.support.verdict is Verdict.FALLS_BACK

    @property
    def parity_max_abs(self) -> float | None:
        """Largest difference from the outputs of ONNX Runtime; None where there is nothing to compare."""
        found = self.support.comparison
        return None if found is None or found.fault else found.max_abs

    @property
    def unequal_percent(self) -> float:
        """Largest share of an output that differs from that of ONNX Runtime by more than rounding."""
        found = self.support.comparison
        return 0.0 if found is None else 100 * found.unequal

    @property
    def operators(self) -> Table:
        """One row for each node of the file: name, kind, verdict, reason, remedy, unit."""
        return Table([asdict(operator) for operator in self.support.operators])

    def to_json(self) -> dict[str, Any]:
        """A device's part of the document of ``latseg check --json``, without its warnings."""
        return {
            "device": self.device.name,
            "hardware": self.device.hardware,
            "simulated": self.device.simulated,
            "compiled": self.compiled,
            "emulator": self.emulator,
            "supported": self.supported,
            "reason": self.support.reason,
            "parity_max_abs": self.parity_max_abs,
            "operators": list(self.operators),
            "lost_time": self.lost_time,
        }


@dataclass(frozen=True, slots=True)
class FixedModel:
    """A model, and the file without what costs time for nothing."""

    model: Path
    output: Path | None
    """None where nothing was to change."""
    changes: list[str]
    """A sentence for each."""
    parity_max_abs: float | None
    """Largest difference of the outputs; None where nothing was to change."""
    measured: Comparison | None
    """The model and the file, measured in one group; None where nothing was to change."""

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg fix --json``, without its warnings."""
        return {
            "model": str(self.model),
            "output": None if self.output is None else str(self.output),
            "changes": self.changes,
            "parity_max_abs": self.parity_max_abs,
            "measured": None if self.measured is None else self.measured.to_json(),
        }
