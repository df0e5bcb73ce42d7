"""Which items of a campaign are timed together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil
from random import Random

from devices.protocol import MeasurementProtocol
from latency.campaign_items import CampaignItem

_MIN_BLOCKS = 3
_SEEDS = 1_000_000
"""More than groups in a pass, so that no two measurements of a campaign have the same seed."""
OPERATOR_GROUP_SIZE = 24
"""Models of operators are small: many share a worker."""


@dataclass(frozen=True, slots=True)
class CampaignGroup:
    """Items that are timed in turns, and the seed of their measurement."""

    items: tuple[CampaignItem, ...]
    """Nets, or models of operators."""
    seed: int
    pass_number: int = 0

    @property
    def labels(self) -> frozenset[str]:
        """Of the items."""
        return frozenset(item.label for item in self.items)

    def only(self, labels: Collection[str]) -> CampaignGroup:
        """The group without other items."""
        return replace(self, items=tuple(item for item in self.items if item.label in labels))

    def protocol(self, protocol: MeasurementProtocol, passes: int) -> MeasurementProtocol:
        """For nets of one of several passes: a share of the blocks; operator times are taken in the first one only."""
        if passes == 1 or self.items[0].source == "operator":
            return protocol
        blocks = max(_MIN_BLOCKS, ceil(protocol.minimum_blocks / passes))
        return replace(protocol, minimum_blocks=blocks, profile_runs=0 if self.pass_number else protocol.profile_runs)


def campaign_groups(
    items: Sequence[CampaignItem], pending: Collection[str], *, group_size: int, seed: int, pass_number: int = 0
) -> list[CampaignGroup]:
    """Nets in groups of ``group_size``, then models of operators in larger ones; of each group what is pending.

    Neither the groups nor their seeds depend on what is pending: a campaign that was killed goes on as it would have
    gone on without that.

    Args:
        items: of the campaign.
        pending: labels of what is not measured yet.
        group_size: nets of a group.
        seed: of the measurements, and of the order of later passes.
        pass_number: in pass 0 the nets are in the order of ``items``, in later ones in another.
    """
    unique = {item.label: item for item in items}.values()
    nets = [item for item in unique if item.source != "operator"]
    operators = [item for item in unique if item.source == "operator"]
    if pass_number:
        Random(f"{seed} {pass_number}").shuffle(nets)
    parts = [*_parts(nets, group_size), *_parts(operators, max(group_size, OPERATOR_GROUP_SIZE))]
    first = seed + pass_number * _SEEDS
    groups = [CampaignGroup(part, first + position, pass_number).only(pending) for position, part in enumerate(parts)]
    return [group for group in groups if group.items]


def _parts(items: Sequence[CampaignItem], size: int) -> list[tuple[CampaignItem, ...]]:
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
