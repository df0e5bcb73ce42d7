"""Which items of a campaign are timed together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from latency.campaign_items import CampaignItem

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
    items: Sequence[CampaignItem], pending: Collection[str], *, group_size: int, seed: int
) -> list[CampaignGroup]:
    """Nets in groups of ``group_size``, then single-operator models in larger ones; of each group what is pending.

    Neither the groups nor their seeds depend on what is pending: a campaign that was killed goes on as it would have
    gone on without that.
    """
    unique = {item.label: item for item in items}.values()
    nets = [item for item in unique if item.source != "operator"]
    operators = [item for item in unique if item.source == "operator"]
    parts = [*_parts(nets, group_size), *_parts(operators, max(group_size, OPERATOR_GROUP_SIZE))]
    groups = [CampaignGroup(part, seed + number).only(pending) for number, part in enumerate(parts)]
    return [group for group in groups if group.items]


def _parts(items: Sequence[CampaignItem], size: int) -> list[tuple[CampaignItem, ...]]:
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
