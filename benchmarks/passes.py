"""How many passes of a campaign, of how many blocks, and which blocks: spread of a net's latency.

Nets of the portrait space are measured in rounds, every group in a fresh process, in another order each round, with 15
blocks; idle, and beside a busy core. From these raw samples each design is composed: so many passes, of which each
takes so many blocks, all of them or those that count (``devices/counted_blocks.py``). Its spread is that of estimates
from rounds that have no measurement in common. Also: how often a repeat lies in the stated interval
(``latency/repeatability.py``). Writes ``benchmarks/results/passes_DEVICE.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from measurement import CONDITIONS, condition
from numpy.typing import NDArray
from predictor_device import sampled

from devices.counted_blocks import counted_blocks
from devices.device import Candidate, Device
from devices.measurement import Block, Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from latency.campaign_items import CampaignItem
from latency.campaign_models import written_models
from latency.operators.serialize import graph_digest
from latency.repeatability import repeat_interval_ms, repeatability
from provenance import RESULTS, provenance, write_result

BLOCKS = 15
GROUP = 8
DESIGNS = ((1, 15), (1, 5), (2, 8), (3, 5), (3, 8), (4, 4))
"""Passes, and blocks in each."""
DRAWS = 200
QUIET_PERCENT = MeasurementProtocol().quiet_percent
GOAL_PERCENT = 1.5
_PROTOCOL = MeasurementProtocol(profile_runs=0, minimum_blocks=BLOCKS, maximum_blocks=BLOCKS)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Round:
    """Every net measured once."""

    by_net: dict[str, Measurement]
    block_seconds: float
    """Spent in timed blocks and the untimed runs before them, all nets together."""
    seconds: float


def measured(device: Device, candidates: list[Candidate], number: int) -> Round:
    """One round, its groups in another order each time."""
    order = np.random.default_rng(number).permutation(len(candidates))
    found: dict[str, Measurement] = {}
    start = time.monotonic()
    for first in range(0, len(order), GROUP):
        group = [candidates[position] for position in order[first : first + GROUP]]
        seed = 1000 * number + first
        for result in device.measure(group, nominal_reference_ms=1.0, protocol=_PROTOCOL, seed=seed):
            if not isinstance(result, Measurement):
                sys.exit(f"{result.label} failed: {result.reason}")
            found[result.label] = result
    seconds = time.monotonic() - start
    blocks = [block for result in found.values() for block in result.blocks]
    return Round(found, sum(map(_seconds, blocks)), seconds)


def _seconds(block: Block) -> float:
    """Of a block and of the reference net's after it, each with the untimed run before it."""
    reference_ms = _PROTOCOL.block_ms + 1.5 * block.reference_ms
    return ((block.runs + 1) * block.wall_ms + reference_ms) / 1000


def log_latency(measurement: Measurement, count: int, quiet_percent: float) -> float:
    """Logarithm of the latency by the first ``count`` blocks."""
    counted = counted_blocks(measurement.blocks[:count], quiet_percent)
    return float(np.log(np.median([block.candidate_ms / block.reference_ms for block in counted])))


def repeat_deviation_percent(values: Floats, passes: int) -> float:
    """Root mean square over nets of the standard deviation of a mean over so many rounds.

    Args:
        values: nets x rounds, logarithms.
        passes: rounds of an estimate; two estimates that are compared have none in common.
    """
    random, squares = np.random.default_rng(0), []
    for _ in range(DRAWS):
        drawn = random.permutation(values.shape[1])[: 2 * passes]
        first, second = values[:, drawn[:passes]].mean(1), values[:, drawn[passes:]].mean(1)
        squares.append(((first - second) ** 2).mean() / 2)
    return float(100 * np.sqrt(np.mean(squares)))


def designs(rounds: list[Round]) -> Iterator[dict[str, Any]]:
    """One row for each design; its cost is relative to one pass of 15 blocks."""
    nets, other = list(rounds[0].by_net), np.mean([each.seconds - each.block_seconds for each in rounds])
    per_block = np.mean([each.block_seconds for each in rounds]) / BLOCKS
    for passes, count in DESIGNS:
        if 2 * passes > len(rounds):
            continue
        row: dict[str, Any] = {"passes": passes, "blocks": count}
        for name, quiet in (("all_blocks_percent", inf), ("blocks_that_count_percent", QUIET_PERCENT)):
            values = np.array([[log_latency(each.by_net[net], count, quiet) for each in rounds] for net in nets])
            row[name] = round(repeat_deviation_percent(values, passes), 2)
        cost = passes * (other + count * per_block) / (other + BLOCKS * per_block)
        yield {**row, "relative_time": round(float(cost), 2)}


def coverage_percent(rounds: list[Round]) -> float:
    """Of the intervals of single measurements, whose noise floor three passes gave, by all other rounds."""
    chosen = [rounds[0], rounds[len(rounds) // 2], rounds[-1]]
    floor = repeatability([one for each in chosen for one in each.by_net.values()])
    assert floor is not None
    inside = []
    for each in rounds:
        for net, one in each.by_net.items():
            low, high = repeat_interval_ms(one, floor)
            inside += [low <= other.by_net[net].latency_ms <= high for other in rounds if other is not each]
    return float(100 * np.mean(inside))


def goals(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Spread, and coverage of the stated interval."""
    found = []
    for name, of_condition in figures.items():
        row = next(each for each in of_condition["designs"] if (each["passes"], each["blocks"]) == (3, 5))
        value, inside = row["blocks_that_count_percent"], of_condition["repeats_in_the_stated_interval_percent"]
        what = f"standard deviation of a net over campaigns of three passes, root mean square, %, {name}"
        found.append({"what": what, "goal": f"<= {GOAL_PERCENT:g}", "value": value, "met": value <= GOAL_PERCENT})
        what = f"repeats in the stated interval, %, {name}"
        found.append({"what": what, "goal": ">= 95", "value": inside, "met": inside >= 95})
    return found


def main() -> None:
    """Measures, composes the designs, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--nets", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7001)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device = get_device(options.device)
    items = [CampaignItem(graph_digest(graph), graph, "campaign") for graph in sampled(options.nets, options.seed)]
    rounds: dict[str, list[Round]] = {name: [] for name in CONDITIONS}
    with tempfile.TemporaryDirectory() as folder, written_models(items, Path(folder), _refuse) as candidates:
        for name in CONDITIONS:
            with condition(name):
                for number in range(options.rounds):
                    rounds[name].append(measured(device, candidates, number))
                    print(f"{name}, round {number + 1}: {rounds[name][-1].seconds:.0f} s", file=sys.stderr)
    figures = {
        name: {
            "designs": list(designs(of_condition)),
            "repeats_in_the_stated_interval_percent": coverage_percent(of_condition),
        }
        for name, of_condition in rounds.items()
    }
    middle = {
        name: np.array([[np.log(each.by_net[item.label].latency_ms) for each in found] for item in items]).mean(1)
        for name, found in rounds.items()
    }
    document = {
        "benchmark": "passes",
        "device": device.info().to_json(),
        "nets": options.nets,
        "rounds": options.rounds,
        "figures": figures,
        "busy_over_idle_percent": float(100 * np.expm1((middle["busy"] - middle["idle"]).mean())),
        "goals": goals(figures),
    }
    write_result(options.output or RESULTS / f"passes_{options.device}.json", document | provenance())


def _refuse(item: CampaignItem, error: Exception) -> None:
    sys.exit(f"{item.label}: {error}")


if __name__ == "__main__":
    main()
