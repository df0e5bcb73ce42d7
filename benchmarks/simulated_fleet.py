"""A driver and its workers as discrete events: no process is started, and no time passes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

SPREAD = 0.3
"""Standard deviation of the logarithm of a time."""


@dataclass
class Driver:
    """One process that deals with events in their order."""

    seconds_each: float
    free_at: float = 0.0

    def deal_with(self, arrivals: list[float]) -> float:
        """When the last of these results is dealt with."""
        heapq.heapify(arrivals)
        while arrivals:
            self.free_at = max(self.free_at, heapq.heappop(arrivals)) + self.seconds_each
        return self.free_at


@dataclass
class Places:
    """Workers, or devices: each takes the next job when it is free."""

    count: int
    busy_s: float = 0.0
    free_at: list[float] = field(default_factory=list)

    def run(self, durations: Iterator[float], begin_s: float) -> list[float]:
        """When each job ends; none begins before ``begin_s``."""
        self.free_at = [begin_s] * self.count
        ends = []
        for seconds in durations:
            ends.append(heapq.heappop(self.free_at) + seconds)
            heapq.heappush(self.free_at, ends[-1])
            self.busy_s += seconds
        return ends


def busy_share(places: int, batch: int, job_s: float, each_s: float, between_s: float, rounds: int = 20) -> float:
    """Share of the time in which the places work.

    Args:
        places: workers, or devices.
        batch: jobs that are given away together, when the batch before it has been dealt with.
        job_s: median time of a job.
        each_s: what the driver needs for a result.
        between_s: what it needs before a batch.
        rounds: batches.
    """
    random, fleet, one = Random(0), Places(places), Driver(each_s)
    end_s = 0.0
    for _ in range(rounds):
        durations = (job_s * random.lognormvariate(0.0, SPREAD) for _ in range(batch))
        one.free_at = end_s + between_s
        end_s = one.deal_with(fleet.run(durations, end_s + between_s))
    return fleet.busy_s / (places * end_s)
