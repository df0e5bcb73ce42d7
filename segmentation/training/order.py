"""Which pictures a step sees. All of it follows from the seed and the step, so a training can be continued."""

from __future__ import annotations

import torch


def generator(seed: int, purpose: int, number: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A stream of random numbers of its own for each seed, purpose and number; of other numbers on a GPU."""
    # Odd constants give neighbouring seeds, purposes and numbers different streams.
    mixed = (seed * 0x9E3779B97F4A7C15 + purpose * 0xC2B2AE3D27D4EB4F + number * 0x165667B19E3779F9) % 2**63
    return torch.Generator(device).manual_seed(mixed)


def epoch_order(count: int, batch_size: int, random: torch.Generator) -> list[int]:
    """A shuffled pass over the data; several passes where a batch is larger than the data."""
    passes = max(1, -(-batch_size // count))
    return torch.cat([torch.randperm(count, generator=random) for _ in range(passes)]).tolist()


def drawn(count: int, step: int, batch_size: int, seed: int) -> list[int]:
    """The pictures of step ``step`` (from 0) in endless shuffled passes over ``count`` pictures; none of none."""
    if not count:
        return []
    places = range(step * batch_size, (step + 1) * batch_size)
    orders = {turn: torch.randperm(count, generator=generator(seed, 2, turn)) for turn in {p // count for p in places}}
    return [int(orders[place // count][place % count]) for place in places]
