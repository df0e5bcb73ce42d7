"""Which items of a campaign are timed together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from latency.campaign_items import CampaignItem

_SEEDS = 1_000_000
"""More than groups in a pass, so that no two measurements of a campaign have the same seed."""
OPERATOR_GROUP_SIZE = 24
"""Single-operator models are small: many share a worker."""


@dataclass(frozen=True, slots=True)
class CampaignGroup:
    """Items that are timed in turns, and the seed of their measurement."""

    items: tuple[CampaignItem, ...]
    seed: int

    @property
    def labels(self) -> frozenset[str]:
        """Of the items."""
        return frozenset(item.label for item in self.items)

    def only(self, labels: Collection[str]) -> CampaignGroup:
        """The group without other items."""
        return CampaignGroup(tuple(item for item in self.items if item.label in labels), self.seed)


def campaign_groups(
    items: Sequence[CampaignItem], pending: Collection[str], *, group_size: int, seed: int, number: int = 0
) -> list[CampaignGroup]:
    """Nets in groups of ``group_size``, then single-operator models in larger ones; of each group what is pending.

    Neither the groups nor their seeds depend on what is pending: a campaign that was killed goes on as it would have
    gone on without that.

    Args:
        items: of the campaign.
        pending: labels of what is not measured yet.
        group_size: nets of a group.
        seed: of the measurements, and of the order of later passes.
        number: of the pass; in the first one the nets are in the order of ``items``, in later ones in another.
    """
    unique = {item.label: item for item in items}.values()
    nets = [item for item in unique if item.source != "operator"]
    operators = [item for item in unique if item.source == "operator"]
    if number:
        Random(f"{seed} {number}").shuffle(nets)
    parts = [*_parts(nets, group_size), *_parts(operators, max(group_size, OPERATOR_GROUP_SIZE))]
    first = seed + number * _SEEDS
    groups = [CampaignGroup(part, first + position).only(pending) for position, part in enumerate(parts)]
    return [group for group in groups if group.items]


def _parts(items: Sequence[CampaignItem], size: int) -> list[tuple[CampaignItem, ...]]:
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
