"""One log with all that is computed from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from search.analysis.diversity import Diversity, diversity_of
from search.analysis.findings.agreement import latency_agreement, proxy_agreement
from search.analysis.findings.best import best_found
from search.analysis.findings.collapsed import collapsed
from search.analysis.findings.finding import Finding
from search.analysis.findings.rejections import rejections
from search.analysis.findings.side_by_side import side_by_side
from search.analysis.findings.slots import important_slots
from search.analysis.findings.stalled import stalled
from search.analysis.findings.stratified import stratified
from search.analysis.findings.unusable import unusable
from search.analysis.importance import SlotImportance, importance_of
from search.analysis.levels import Levels, find_levels
from search.analysis.search_log import PARAMETERS, SearchLog


@dataclass(frozen=True)
class AnalysedLog:
    """A log; whatever is expensive is computed at first use and kept."""

    log: SearchLog
    seed: int = 0
    """Of the permutations by which the importance of slots is corrected for chance."""

    @cached_property
    def diversity(self) -> Diversity | None:
        """Diversity over a sliding window."""
        return diversity_of(self.log)

    @cached_property
    def levels(self) -> Levels | None:
        """Levels of the parameter counts."""
        cost = self.log.cost(PARAMETERS)
        return None if cost is None else find_levels(cost.known)

    @cached_property
    def importance(self) -> tuple[SlotImportance, ...]:
        """Importance of the slots."""
        return importance_of(self.log, self.seed)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the log shows; what should be changed comes before the rest."""
        found = [replace(finding, log=self.log.name) for finding in self._findings() if finding is not None]
        return tuple(sorted(found, key=lambda finding: not finding.fault))

    def _findings(self) -> Iterator[Finding | None]:
        yield best_found(self.log)
        yield side_by_side(self.log)
        yield rejections(self.log)
        yield unusable(self.log)
        yield stratified(self.levels)
        yield collapsed(self.log, self.diversity)
        yield stalled(self.log)
        yield important_slots(self.importance, len(self.log))
        yield proxy_agreement(self.log)
        for device in self.log.latencies:
            yield latency_agreement(self.log, device)
