"""The nets of a campaign: drawn, or chosen where they are few and other devices tell which ones matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latency.fit import FEW_NETS
from latency.operators.operator import OperatorGraph

if TYPE_CHECKING:
    from latency.predictors.transfer.prior import Prior

POOL = 400
"""Random nets to choose from."""


@dataclass(frozen=True)
class CampaignChoice:
    """Graphs to be measured."""

    graphs: list[OperatorGraph]
    chosen: bool
    """Whether they were chosen from a larger draw."""


def choose_nets(
    draw: Callable[[int], list[OperatorGraph]], count: int, prior_of_others: Callable[[], Prior | None]
) -> CampaignChoice:
    """``count`` nets; with a prior and at most ``FEW_NETS`` of them the most informative of ``POOL``.

    Args:
        draw: from a number to so many random nets; the same ones at each call.
        count: nets wanted.
        prior_of_others: yields what other devices teach, without the one that is to be measured; asked only where the
            nets are few.
    """
    prior = prior_of_others() if count <= FEW_NETS else None
    if prior is None:
        return CampaignChoice(draw(count), chosen=False)
    from latency.predictors.transfer.informative_nets import informative_nets

    pool = draw(POOL)
    return CampaignChoice([pool[position] for position in informative_nets(prior, pool, count)], chosen=True)
