"""Trials that exceed a limit: what a search without hard limits spends on nets that cannot be used."""

from __future__ import annotations

import numpy as np

from search.analysis.findings.finding import Finding
from search.analysis.search_log import PARAMETERS, Cost, SearchLog

MIN_SHARE = 0.1
"""Of the trials."""


def unusable(log: SearchLog) -> Finding | None:
    """Found where at least ``MIN_SHARE`` of the trials exceed a limit."""
    over = log.over_limit
    share = float(over.mean())
    if share < MIN_SHARE:
        return None
    kept = int((~over).sum())
    limits = " and ".join(_limit(cost) for cost in log.costs if cost.limit is not None)
    text = f"Only {kept:,} of {len(log):,} trials ({100 * (1 - share):.3g} %) have {limits}."
    figures = {"kept": kept, "share_over": share}
    if log.seconds is not None and np.isfinite(log.seconds).all() and log.seconds.sum() > 0:
        spent = float(log.seconds[over].sum() / log.seconds.sum())
        text += f" The others took {100 * spent:.3g} % of the time."
        figures["share_of_time"] = spent
    remedy = "Make the limit a hard one, which is checked before a net is trained, or start from a smaller space."
    return Finding("unusable", text, figures, remedy)


def _limit(cost: Cost) -> str:
    if cost.name == PARAMETERS:
        return f"at most {(cost.limit or 0) / 1e6:g} M parameters"
    return f"at most {cost.limit:g} ms ({cost.name.partition(':')[2]})"
