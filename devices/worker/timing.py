"""The measuring procedure, for loaded models of any kind.

1. Every candidate runs once (the first run is a result of its own), then in blocks until two consecutive blocks agree.
2. Rounds: the candidates in random order, one block each, with a block of the reference net before the first and after
   every one, so that each candidate's block lies between two reference blocks. It is divided by their mean, so that a
   linear drift of the machine's speed cancels.
3. Blocks of busy moments, in which the reference net was slower, do not count (``devices/counted_blocks.py``).
4. A candidate is finished when the bootstrap interval of the median ratio is narrow enough, or at the cap.

Time in which the operating system had given the core to other processes is not counted (``run_queue.py``).
Before each timed block, also one of the reference net, an untimed run brings the net's weights back into the caches:
with cold caches it would take longer, most beside the largest nets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from devices.counted_blocks import counted_blocks
from devices.measurement import Block
from devices.protocol import MeasurementProtocol
from devices.statistics import bootstrap_median_interval, half_width_percent
from devices.worker.runtime import BlockTime, LoadedModel, ModelFailedError

REFERENCE = -1
"""Key of the reference net in calls of ``on_step``."""
_MIN_BLOCKS_AT_TIMEOUT = 3
_SHORTEST_MS = 0.001
"""No run takes less; a clock that stands still must not ask for millions of runs."""

OnStep = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one candidate."""

    blocks: tuple[Block, ...]
    ratio: float
    """Median over the blocks that count of candidate / reference (of plain milliseconds where the protocol does not
    normalise)."""
    ratio_interval: tuple[float, float]
    first_run_ms: float
    load_ms: float
    converged: bool
    cpu_per_wall: float


@dataclass(slots=True)
class _Running:
    """A candidate, or the reference net, while it is timed."""

    model: LoadedModel
    first_run_ms: float = 0.0
    run_ms: float = 0.0
    core_ms: float = 0.0
    cpu_ms: float = 0.0
    spent_ms: float = 0.0
    blocks: list[Block] = field(default_factory=list)
    interval: tuple[float, float] = (0.0, math.inf)
    finished: bool = False
    converged: bool = False


def time_group(
    models: Mapping[int, LoadedModel],
    reference: LoadedModel,
    protocol: MeasurementProtocol,
    *,
    random: np.random.Generator,
    on_step: OnStep = lambda _: None,
) -> dict[int, Timing | ModelFailedError]:
    """Times the models as one interleaved group; a model whose runtime fails gives its error instead.

    ``on_step`` is called between blocks with the key of the model that runs next. An empty group only warms the
    reference net up.

    Raises:
        ModelFailedError: the reference net fails.
    """
    failed: dict[int, Timing | ModelFailedError] = {}
    on_step(REFERENCE)
    reference_net = _Running(reference)
    _warm_up(reference_net, protocol)
    running: dict[int, _Running] = {}
    for key, model in models.items():
        on_step(key)
        candidate = _Running(model)
        try:
            _warm_up(candidate, protocol)
            running[key] = candidate
        except ModelFailedError as error:
            failed[key] = error
    while active := [key for key, each in running.items() if not each.finished]:
        order = [active[i] for i in random.permutation(len(active))]
        for key, fault in _round(order, running, reference_net, protocol, on_step).items():
            failed[key] = fault
            del running[key]
        for key in order:
            if key in running:
                _decide(running[key], protocol, random)
    return failed | {key: _timing(each, protocol) for key, each in running.items()}


def _runs(run_ms: float, protocol: MeasurementProtocol) -> int:
    return max(1, math.ceil(protocol.block_ms / max(run_ms, _SHORTEST_MS)))


def _timed(running: _Running, runs: int) -> BlockTime:
    """A block whose times are times.

    Raises:
        ModelFailedError: the model fails, or the clock shows NaN, an infinite or a negative time.
    """
    block = running.model.time_block(runs)
    for name, value in (("time", block.wall_ms), ("processor time", block.cpu_ms), ("waiting time", block.waited_ms)):
        if not 0 <= value < math.inf:
            raise ModelFailedError(f"the clock of the runtime gave a {name} of {value:g} ms")
    return block


def _block(running: _Running, protocol: MeasurementProtocol) -> BlockTime:
    """A block that may count.

    Raises:
        ModelFailedError: as ``_timed``, or the clock does not move.
    """
    block = _timed(running, _runs(running.run_ms, protocol))
    if block.run_ms <= 0:
        raise ModelFailedError(f"the clock of the runtime gave {block.runs} runs a time of {block.run_ms:g} ms")
    running.run_ms = min(running.run_ms, block.run_ms)
    running.spent_ms += block.wall_ms
    return block


def _warm_block(running: _Running, protocol: MeasurementProtocol) -> BlockTime:
    running.spent_ms += _timed(running, 1).wall_ms
    return _block(running, protocol)


def _warm_up(running: _Running, protocol: MeasurementProtocol) -> None:
    running.first_run_ms = running.run_ms = _timed(running, 1).wall_ms
    previous = math.inf
    for _ in range(protocol.maximum_warm_up_blocks):
        current = _block(running, protocol).run_ms
        if abs(current - previous) <= protocol.warm_up_agreement_percent / 100 * min(current, previous):
            break
        previous = current
        if running.spent_ms > _allowed_ms(protocol) / 2:
            break


def _round(
    order: Sequence[int],
    running: Mapping[int, _Running],
    reference_net: _Running,
    protocol: MeasurementProtocol,
    on_step: OnStep,
) -> dict[int, ModelFailedError]:
    failed: dict[int, ModelFailedError] = {}
    on_step(REFERENCE)
    before = _warm_block(reference_net, protocol).run_ms
    for key in order:
        candidate = running[key]
        on_step(key)
        try:
            block = _warm_block(candidate, protocol)
        except ModelFailedError as error:
            failed[key] = error
            continue
        on_step(REFERENCE)
        after = _warm_block(reference_net, protocol).run_ms
        waited_ms = block.waited_ms / block.runs
        candidate.blocks.append(Block(block.runs, block.run_ms, (before + after) / 2, waited_ms))
        candidate.core_ms += block.wall_ms - block.waited_ms
        candidate.cpu_ms += block.cpu_ms
        before = after
    return failed


def _ratios(running: _Running, protocol: MeasurementProtocol) -> list[float]:
    counted = counted_blocks(running.blocks, protocol.quiet_percent)
    return [block.candidate_ms / (block.reference_ms if protocol.normalise else 1.0) for block in counted]


def _allowed_ms(protocol: MeasurementProtocol) -> float:
    return protocol.timeout_s * 1000 / 2


def _decide(running: _Running, protocol: MeasurementProtocol, random: np.random.Generator) -> None:
    count, ratios = len(running.blocks), _ratios(running, protocol)
    late = count >= _MIN_BLOCKS_AT_TIMEOUT and running.spent_ms > _allowed_ms(protocol)
    last = late or count >= protocol.maximum_blocks
    if len(ratios) < protocol.minimum_blocks and not last:
        return
    interval = bootstrap_median_interval(ratios, resamples=protocol.bootstrap_resamples, random=random)
    running.interval = interval
    running.converged = half_width_percent(median(ratios), interval) < protocol.half_width_percent
    running.finished = running.converged or last


def _timing(running: _Running, protocol: MeasurementProtocol) -> Timing:
    return Timing(
        blocks=tuple(running.blocks),
        ratio=median(_ratios(running, protocol)),
        ratio_interval=running.interval,
        first_run_ms=running.first_run_ms,
        load_ms=running.model.load_ms,
        converged=running.converged,
        cpu_per_wall=running.cpu_ms / running.core_ms,
    )
