"""Candidates that broke a limit."""

from __future__ import annotations

from search.analysis.findings.finding import Finding
from search.analysis.search_log import SearchLog


def rejections(log: SearchLog) -> Finding | None:
    """Found where any candidate was rejected; a candidate that breaks two limits counts for both."""
    if not log.rejected:
        return None
    counts = ", ".join(f"{name} {count:,}" for name, count in log.rejected.items())
    text = f"Candidates that broke a limit: {counts}; {log.repaired:,} of them were repaired."
    return Finding("rejections", text, {**log.rejected, "repaired": log.repaired})
