"""From a device's measurements to a bounded predictor, with its scores on nets held out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from devices.device_info import DeviceInfo
from foundation.progress import OnProgress, Progress, ignore_progress
from latency.bounded import BoundedPredictor
from latency.calibration import Calibration
from latency.fit_summary import FitSummary, TestRow
from latency.operators.serialize import graph_digest
from latency.predictor import LatencyPredictor
from latency.predictors.cross_validation import enough_folds, stratified_folds
from latency.predictors.registry import predictor_class
from latency.predictors.sample_checks import whole_nets
from latency.sample import LatencySample
from latency.scores import Scores

if TYPE_CHECKING:
    from latency.predictors.arbitration import ArbitratedPredictor
    from latency.predictors.attention.predictor import AttentionPredictor
    from latency.predictors.attention.training import TrainingSettings
    from latency.predictors.transfer.prior import Prior

_logger = logging.getLogger(__name__)
MIN_NETS = 10
"""Fewer cannot be split into training and test nets."""
_MIN_TRAINING_NETS = 6
FEW_NETS = 60
"""Up to so many nets, attention is weighted against other predictors, with the prior of other devices among them. With
more nets it gets all the weight (``benchmarks/results/predictor_device*.json``)."""
BASELINES = ("lookup_table", "boosted_trees", "kernel_forest", "recurrent", "graph_convolution")
"""What ``compare`` scores besides operator counts, which are scored always."""


@dataclass(frozen=True)
class FitResult:
    """A fitted predictor and its quality on nets held out."""

    predictor: BoundedPredictor
    summary: FitSummary


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
    compare: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> FitResult:
    """Fits the predictor, calibrates its bound, and scores it and the baselines on held-out nets.

    The predictor is attention; with at most ``FEW_NETS`` nets, its weighted mean with others (``ArbitratedPredictor``).

    The test nets (``test_fraction``, stratified by latency) are kept from everything that is scored. The predictor that
    is returned is then trained and calibrated again, in the same way, on all nets, since measurements are expensive.
    The bound is calibrated on ALL training nets, each predicted by parts of the predictor that were trained without it
    (``out_of_fold``): cross-conformal, so that no net needs to be kept from training for it. The error of these parts
    is somewhat larger than that of the whole, so the bound is rather too wide; its coverage is checked
    (``benchmarks/coverage.py``), not proved. With ``split_conformal`` the predictor that is scored is returned, and the
    test nets, which are then a random draw, calibrate it: exact for any number of them. Single-operator models are
    training samples only.

    Args:
        samples: of one device.
        device_info: of that device; kept with the predictor.
        seed: of splits and training.
        test_fraction: of the whole nets, at least four.
        alpha: share of nets that may exceed the bound.
        threads: of torch.
        members: of the attention predictor.
        settings: of its training.
        prior: of other devices, used with at most ``FEW_NETS`` nets. What it has learned on this very device is left
            out.
        split_conformal: calibrate on the test nets only, and never train on them.
        compare: score the predictors of ``BASELINES`` as well.
        on_progress: called after every step of training.

    Raises:
        UserError: fewer than ``MIN_NETS`` whole nets, or impossible samples.
    """
    started = time.monotonic()
    training, test = split(samples, test_fraction, seed=seed, stratified=not split_conformal)
    # Decided once, on all nets: the predictor that is scored must be of the same kind as the one that is returned.
    few = few_nets(samples)
    others = prior.without(device_info.fingerprint) if prior and few else None
    fit = partial(fit_predictor, few=few, prior=others, settings=settings, members=members, threads=threads, seed=seed)
    scored = fit(training, on_progress=on_progress, stage="training nets")
    bounded = _bounded(scored, alpha, device_info, training)
    if split_conformal:
        result, rows = _calibrated_on(test, bounded)
    else:
        final = fit(samples, on_progress=on_progress, stage="all nets")
        result, rows = _bounded(final, alpha, device_info, samples), _test_rows(bounded, test)
    ratios = [row.upper_ms / row.measured_ms for row in rows]
    summary = FitSummary(
        fingerprint=device_info.fingerprint,
        handed_over=scored.name,
        predictors={each.name: _scores(each, test) for each in _scored(scored, training, seed, compare=compare)},
        coverage=float(np.mean([ratio >= 1 for ratio in ratios])),
        bound_ratio=float(np.mean(ratios)),
        bound=result.calibration.statement,
        training_models=sum(not sample.single_operator for sample in training),
        test_models=len(test),
        seconds=time.monotonic() - started,
        test_table=rows,
        split_conformal=split_conformal,
    )
    _logger.info(
        "%s: %s is handed over, fitted in %.0f s; %s", device_info.name, scored.name, summary.seconds, summary.bound
    )
    return FitResult(result, summary)


def fit_predictor(
    samples: Sequence[LatencySample],
    *,
    few: bool,
    prior: Prior | None = None,
    settings: TrainingSettings | None = None,
    members: int = 3,
    threads: int = 1,
    seed: int = 0,
    on_progress: OnProgress = ignore_progress,
    stage: str = "training",
) -> AttentionPredictor | ArbitratedPredictor:
    """The predictor that ``fit_device`` returns, without a bound.

    Args:
        samples: of one device.
        few: whether attention is weighted against other predictors.
        prior: used only where nets are few.
        settings: of the attention predictor's training.
        members: of the attention predictor.
        threads: of torch.
        seed: of splits and training.
        on_progress: called after every step of training.
        stage: of the progress.
    """
    from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
    from latency.predictors.additive.lookup_table import LookupTablePredictor
    from latency.predictors.arbitration import ArbitratedPredictor
    from latency.predictors.attention.predictor import AttentionPredictor
    from latency.predictors.transfer.few_samples import FewSamplesPredictor

    def on_step(done: int, total: int) -> None:
        on_progress(Progress(stage, done, total, _error_note(attention.out_of_fold)))

    attention = AttentionPredictor(settings, members=members, threads=threads)
    predictor: AttentionPredictor | ArbitratedPredictor = attention
    if few:
        transfer = [partial(FewSamplesPredictor, prior)] if prior is not None else []
        predictor = ArbitratedPredictor(attention, [LookupTablePredictor, BoostedTreesPredictor, *transfer])
    predictor.fit(samples, seed=seed, on_step=on_step)
    return predictor


def few_nets(samples: Sequence[LatencySample]) -> bool:
    """Whether a device has at most ``FEW_NETS`` whole nets."""
    return sum(not sample.single_operator for sample in samples) <= FEW_NETS


def split(
    samples: Sequence[LatencySample], test_fraction: float, *, seed: int, stratified: bool = True
) -> tuple[list[LatencySample], list[LatencySample]]:
    """Training samples (single-operator models among them) and test nets, stratified by latency or purely at random.

    Raises:
        UserError: too few whole nets.
    """
    whole = whole_nets(samples, minimum=MIN_NETS)
    folds = max(2, min(round(1 / max(test_fraction, 1e-6)), len(whole) // 4))
    folds = enough_folds(len(whole), folds, minimum=_MIN_TRAINING_NETS)
    # With equal latencies there are no strata, so the draw does not depend on latency.
    fold = stratified_folds([sample.latency_ms if stratified else 0.0 for sample in whole], folds, seed=seed)
    test = [sample for sample, number in zip(whole, fold, strict=True) if number == 0]
    training = [sample for sample, number in zip(whole, fold, strict=True) if number != 0]
    return [*training, *(sample for sample in samples if sample.single_operator)], test


def _bounded(
    predictor: AttentionPredictor | ArbitratedPredictor,
    alpha: float,
    device_info: DeviceInfo,
    samples: Sequence[LatencySample],
) -> BoundedPredictor:
    calibration = Calibration.of(list(predictor.out_of_fold.values()), alpha=alpha)
    learned = frozenset(graph_digest(sample.graph) for sample in samples if not sample.single_operator)
    return BoundedPredictor(predictor, calibration, device_info, learned)


def _calibrated_on(
    test: Sequence[LatencySample], bounded: BoundedPredictor
) -> tuple[BoundedPredictor, tuple[TestRow, ...]]:
    """The predictor calibrated on nets that it was not trained on; the bound of each of these is that of the others."""
    predictions = bounded.predictor.predict([sample.graph for sample in test])
    ratios = [sample.latency_ms / prediction.latency_ms for sample, prediction in zip(test, predictions, strict=True)]
    rows: list[TestRow] = []
    for place, sample in enumerate(test):
        others = Calibration.of([*ratios[:place], *ratios[place + 1 :]], alpha=bounded.calibration.alpha)
        rows += _test_rows(replace(bounded, calibration=others), [sample])
    calibration = Calibration.of(ratios, alpha=bounded.calibration.alpha)
    return replace(bounded, calibration=calibration), tuple(sorted(rows, key=lambda row: row.measured_ms))


def _scored(
    predictor: AttentionPredictor | ArbitratedPredictor,
    training: Sequence[LatencySample],
    seed: int,
    *,
    compare: bool,
) -> Iterator[LatencyPredictor]:
    """The predictor, its members, and baselines, all fitted on the training samples; each name once."""
    known: dict[str, LatencyPredictor] = {each.name: each for each in (predictor, *getattr(predictor, "members", ()))}
    yield from known.values()
    for name in ("operator_counts", *(BASELINES if compare else ())):
        if name not in known:
            baseline = predictor_class(name)()
            baseline.fit(training, seed=seed)
            yield baseline


def _scores(predictor: LatencyPredictor, test: Sequence[LatencySample]) -> Scores:
    predictions = predictor.predict([sample.graph for sample in test])
    return Scores.of([prediction.latency_ms for prediction in predictions], [sample.latency_ms for sample in test])


def _test_rows(predictor: BoundedPredictor, test: Sequence[LatencySample]) -> tuple[TestRow, ...]:
    predictions = predictor.predict([sample.graph for sample in test])
    rows = [
        TestRow(sample.label, sample.latency_ms, prediction.latency_ms, prediction.upper_ms)
        for sample, prediction in zip(test, predictions, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.measured_ms))


def _error_note(out_of_fold: dict[str, float]) -> str:
    """Mean absolute error of the nets predicted out of fold so far."""
    if not out_of_fold:
        return ""
    return f"mean error {100 * float(np.mean([abs(1 / ratio - 1) for ratio in out_of_fold.values()])):.1f} % so far"
