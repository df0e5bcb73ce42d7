"""Whether two orders of the same trials agree: the search's estimate and full training, prediction and measurement."""

from __future__ import annotations

import numpy as np

from search.analysis.findings.finding import Finding
from search.analysis.search_log import Matrix, SearchLog

MIN_PAIRS = 5
"""Trials; of fewer a rank correlation says nothing."""
MIN_TAU = 0.5
"""Kendall's tau-b between estimated and trained quality: three of four pairs of nets are in the right order."""
MIN_SPEARMAN = 0.8
"""Spearman's rank correlation between predicted and measured latency."""


def trained_pairs(log: SearchLog) -> Matrix:
    """``pairs x 2``: the estimate of the search, and the quality after full training."""
    trained = np.full(len(log), np.nan) if log.trained is None else log.trained
    return known_pairs(np.column_stack([log.quality, trained]))


def known_pairs(pairs: Matrix) -> Matrix:
    """The rows without NaN."""
    return np.asarray(pairs[np.isfinite(pairs).all(axis=1)])


def proxy_agreement(log: SearchLog) -> Finding | None:
    """Kendall's tau between estimated and trained quality, where enough trials were trained in full."""
    pairs = trained_pairs(log)
    if not _comparable(pairs):
        return None
    from scipy.stats import kendalltau

    tau = float(kendalltau(pairs[:, 0], pairs[:, 1]).statistic)
    text = (
        f"The search's estimate and full training order {len(pairs)} trained nets with Kendall's tau {tau:.2f} "
        "(1: the same order, 0: unrelated)."
    )
    remedy = "Trust the order of the search less: train several winners in full, or use a costlier evaluator."
    return Finding("proxy", text, {"tau": tau, "nets": len(pairs)}, remedy if tau < MIN_TAU else "")


def latency_agreement(log: SearchLog, device: str) -> Finding | None:
    """Spearman's correlation between predicted and measured latency, where enough trials were measured."""
    pairs = known_pairs(log.latencies[device])
    if not _comparable(pairs):
        return None
    from scipy.stats import spearmanr

    rho = float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
    text = f"Predicted and measured latency on {device} order {len(pairs)} nets with Spearman's correlation {rho:.2f}."
    remedy = f"Profile more networks on {device} and fit again, or raise the number of calibration nets."
    return Finding(
        f"latency:{device}", text, {"spearman": rho, "nets": len(pairs)}, remedy if rho < MIN_SPEARMAN else ""
    )


def _comparable(pairs: Matrix) -> bool:
    return len(pairs) >= MIN_PAIRS and bool((np.ptp(pairs, axis=0) > 0).all())
