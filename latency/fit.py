"""From a device's measurements to a bounded predictor, with its scores on nets held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from devices.device_info import DeviceInfo
from latency.bounded import BoundedPredictor
from latency.calibration import Calibration
from latency.operators.serialize import graph_digest
from latency.predictor import LatencyPredictor, Prediction
from latency.predictors.cross_validation import enough_folds, stratified_folds
from latency.predictors.sample_checks import whole_nets
from latency.sample import LatencySample
from latency.scores import Scores

if TYPE_CHECKING:
    from latency.predictors.arbitration import ArbitratedPredictor
    from latency.predictors.attention.training import TrainingSettings
    from latency.predictors.stored import StoredPredictor
    from latency.predictors.transfer.prior import Prior

MIN_NETS = 10
"""Fewer cannot be split into training and test nets."""
_MIN_TRAINING_NETS = 6
"""What the arbitration needs."""
FEW_NETS = 60
"""Up to here other devices are asked, too; what they help shrinks with the number of nets
(``benchmarks/new_device.py``)."""

OnProgress = Callable[[str, int, int, float | None], None]
"""Stage, steps done, steps in all, best mean error in percent so far where known."""


@dataclass(frozen=True, slots=True)
class TestRow:
    """One net of the test set. Milliseconds."""

    __test__ = False  # not a test class, whatever its name suggests to pytest

    label: str
    measured_ms: float
    predicted_ms: float
    upper_ms: float


@dataclass(frozen=True)
class FitResult:
    """A fitted predictor and what is known of its quality."""

    predictor: BoundedPredictor
    scores: dict[str, Scores]
    """By predictor, all fitted on the same training nets and scored on the same test nets; operator counts are the base
    line and play no part in what is handed over."""
    coverage: float
    """Share of the test nets whose measurement lies within the bound."""
    slack: float
    """Bound / measurement, mean over the test nets: what the bound costs."""
    test_models: int
    training_models: int
    seconds: float
    test_table: tuple[TestRow, ...]
    """The test nets in order of their measured latency."""
    split_conformal: bool = False
    """Whether the test nets calibrated the predictor; each one's bound in the table is then that of the others."""


def fit_device(
    samples: Sequence[LatencySample],
    device_info: DeviceInfo,
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    alpha: float = 0.1,
    threads: int = 1,
    members: int = 3,
    settings: TrainingSettings | None = None,
    prior: Prior | None = None,
    split_conformal: bool = False,
    on_progress: OnProgress | None = None,
) -> FitResult:
    """Fits the predictors and arbitrates between them, calibrates the bound, scores on held-out nets.

    The test nets (``test_fraction``, stratified by latency) are kept from everything that is scored. The predictor
    that is handed back is then trained and calibrated anew, in the same way, on all nets: measurements are dear.
    The bound is calibrated on ALL training nets, each by parts of the predictor that were trained without it
    (``ArbitratedPredictor.out_of_fold``): cross-conformal, so that no net needs to be kept from training for it. The
    parts err somewhat more than the whole, which is on the safe side; how often the bound holds is checked
    (``benchmarks/coverage.py``), not proved. With ``split_conformal`` the predictor that is scored is handed back, and
    the test nets, which trained nothing and are drawn at random, calibrate it: exact for any number of them.
    Single-operator models serve training only.

    Args:
        samples: of one device.
        device_info: of that device; kept with the predictor.
        seed: of splits and training.
        test_fraction: of the whole nets, at least four.
        alpha: the bound may be exceeded by this share of nets.
        threads: that torch may use.
        members: of the attention predictor.
        settings: of its training.
        prior: what other devices taught; used where this one has at most ``FEW_NETS`` nets. What it has learned on
            this very device is left out.
        split_conformal: calibrate on the test nets alone, which are then never trained on.
        on_progress: called after every step of training.

    Raises:
        UserError: fewer than ``MIN_NETS`` whole nets, or samples that no device can have yielded.
    """
    started = time.monotonic()
    report = on_progress or (lambda *_: None)
    training, test = split(samples, test_fraction, seed=seed, stratified=not split_conformal)
    # Decided once: what is scored on the training nets must be what is handed over.
    others = prior.without(device_info.fingerprint) if prior and few_nets(samples) else None
    fit = _Fit(settings, members, threads, seed, others, report)
    scored = fit.run("training nets", training)
    bounded = _bounded(scored, alpha, device_info, training)
    if split_conformal:
        handed_over, rows = _calibrated_on(test, bounded)
    else:
        handed_over = _bounded(fit.run("all nets", samples), alpha, device_info, samples)
        rows = _test_table(bounded, test)
    return FitResult(
        predictor=handed_over,
        scores={each.name: _scores(each, test) for each in (scored, *scored.members, _base_line(training))},
        coverage=float(np.mean([row.measured_ms <= row.upper_ms for row in rows])),
        slack=float(np.mean([row.upper_ms / row.measured_ms for row in rows])),
        test_models=len(test),
        training_models=sum(not sample.single_operator for sample in training),
        seconds=time.monotonic() - started,
        test_table=rows,
        split_conformal=split_conformal,
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """How predictors are fitted, once for the test and once for good."""

    settings: TrainingSettings | None
    members: int
    threads: int
    seed: int
    prior: Prior | None
    report: OnProgress

    def run(self, stage: str, samples: Sequence[LatencySample]) -> ArbitratedPredictor:
        from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
        from latency.predictors.additive.lookup_table import LookupTablePredictor
        from latency.predictors.arbitration import ArbitratedPredictor
        from latency.predictors.attention.predictor import AttentionPredictor
        from latency.predictors.transfer.few_samples import FewSamplesPredictor

        attention = AttentionPredictor(self.settings, members=self.members, threads=self.threads)
        others: list[Callable[[], StoredPredictor]] = [LookupTablePredictor, BoostedTreesPredictor]
        if self.prior is not None:
            others.append(partial(FewSamplesPredictor, self.prior))
        predictor = ArbitratedPredictor(attention, others)
        predictor.fit(
            samples,
            seed=self.seed,
            on_step=lambda done, total: self.report(stage, done, total, _error(attention.out_of_fold)),
        )
        return predictor


def _bounded(
    predictor: ArbitratedPredictor, alpha: float, device_info: DeviceInfo, samples: Sequence[LatencySample]
) -> BoundedPredictor:
    calibration = Calibration.of(list(predictor.out_of_fold.values()), alpha=alpha)
    learned = frozenset(graph_digest(sample.graph) for sample in samples if not sample.single_operator)
    return BoundedPredictor(predictor, calibration, device_info.to_json(), learned)


def _calibrated_on(
    test: Sequence[LatencySample], bounded: BoundedPredictor
) -> tuple[BoundedPredictor, tuple[TestRow, ...]]:
    """The predictor calibrated on nets that it was not trained on, and of each of these the bound by all others."""
    told = bounded.predictor.predict([sample.graph for sample in test])
    ratios = [sample.latency_ms / one.latency_ms for sample, one in zip(test, told, strict=True)]
    rows: list[TestRow] = []
    for place, sample in enumerate(test):
        others = Calibration.of([*ratios[:place], *ratios[place + 1 :]], alpha=bounded.calibration.alpha)
        rows += _test_table(replace(bounded, calibration=others), [sample])
    calibration = Calibration.of(ratios, alpha=bounded.calibration.alpha)
    return replace(bounded, calibration=calibration), tuple(sorted(rows, key=lambda row: row.measured_ms))


def few_nets(samples: Sequence[LatencySample]) -> bool:
    """Whether a device has so few nets that others are asked, too."""
    return sum(not sample.single_operator for sample in samples) <= FEW_NETS


def split(
    samples: Sequence[LatencySample], test_fraction: float, *, seed: int, stratified: bool = True
) -> tuple[list[LatencySample], list[LatencySample]]:
    """Training samples (single-operator models among them) and test nets, by latency or purely at random.

    Raises:
        UserError: too few whole nets.
    """
    whole = whole_nets(samples, minimum=MIN_NETS)
    folds = max(2, min(round(1 / max(test_fraction, 1e-6)), len(whole) // 4))
    folds = enough_folds(len(whole), folds, minimum=_MIN_TRAINING_NETS)
    # Latencies that are all equal leave no strata: the draw then has nothing to do with them.
    fold = stratified_folds([sample.latency_ms if stratified else 0.0 for sample in whole], folds, seed=seed)
    test = [sample for sample, number in zip(whole, fold, strict=True) if number == 0]
    training = [sample for sample, number in zip(whole, fold, strict=True) if number != 0]
    return [*training, *(sample for sample in samples if sample.single_operator)], test


def _base_line(training: Sequence[LatencySample]) -> LatencyPredictor:
    from latency.predictors.additive.operator_counts import OperatorCountsPredictor

    predictor = OperatorCountsPredictor()
    predictor.fit(training)
    return predictor


def _scores(predictor: LatencyPredictor, test: Sequence[LatencySample]) -> Scores:
    predictions: list[Prediction] = predictor.predict([sample.graph for sample in test])
    return Scores.of([prediction.latency_ms for prediction in predictions], [sample.latency_ms for sample in test])


def _test_table(predictor: BoundedPredictor, test: Sequence[LatencySample]) -> tuple[TestRow, ...]:
    predictions = predictor.predict([sample.graph for sample in test])
    rows = [
        TestRow(sample.label, sample.latency_ms, prediction.latency_ms, prediction.upper_ms)
        for sample, prediction in zip(test, predictions, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.measured_ms))


def _error(out_of_fold: dict[str, float]) -> float | None:
    """Mean absolute error in percent of the nets predicted out of fold so far."""
    if not out_of_fold:
        return None
    return 100 * float(np.mean([abs(1 / ratio - 1) for ratio in out_of_fold.values()]))
