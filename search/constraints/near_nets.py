"""Random nets of a space whose latency is predicted near a budget."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random

from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from search.constraints.budgets import LatencyBudget, ParameterBudget
from search.spaces.space import SearchSpace

NEAR = (0.75, 1.0)
"""Predicted latency / budget of a net near the budget.

A bound is never below its prediction, so a net predicted above the budget is never accepted; and the nets that a search
accepts lie in this range as long as the bound is less than 1 / .75 times the prediction. The range does not depend on
the calibration, so the nets that are drawn do not either.
"""
ROUND = 250
"""Nets that are drawn and predicted at once."""
MOST = 2000
"""Nets that are looked at before the search for more is given up."""
_ENOUGH_IN_VAIN = 500

OnFound = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class NearNet:
    """A net predicted near the budget; ``label`` is its graph's digest, as in a campaign."""

    label: str
    graph: OperatorGraph
    predicted_ms: float


def draw_near_nets(
    space: SearchSpace,
    budget: LatencyBudget,
    count: int,
    rng: Random,
    *,
    parameters: ParameterBudget | None = None,
    classes: int = 2,
    learned: Collection[str] = (),
    on_found: OnFound = lambda _: None,
) -> tuple[list[NearNet], int]:
    """Draws ``count`` different nets near the budget, without regard to their quality, and how many it looked at.

    They are exchangeable with any further random net of the space that is within ``parameters``, is predicted in this
    range, and was not learned from. Fewer are found where they are rare (``MOST``), none where ``_ENOUGH_IN_VAIN``
    random nets hold none.

    Args:
        space: to draw from.
        budget: on one device; its predictor says which nets are near.
        count: of the nets wanted.
        rng: decides all.
        parameters: nets above this size are left out, since no search accepts them.
        classes: of the nets.
        learned: digests of nets that the predictor was fitted on, which are left out.
        on_found: is told how many were found so far.
    """
    found: dict[str, NearNet] = {}
    looked_at = 0
    while len(found) < count and looked_at < (MOST if found else _ENOUGH_IN_VAIN):
        near = [net for net in _round(space, budget, rng, parameters, classes) if net.label not in learned]
        looked_at += ROUND
        # A space samples in the order of its strata, so those found first are not as any other.
        rng.shuffle(near)
        found.update((net.label, net) for net in near if net.label not in found)
        on_found(min(count, len(found)))
    return list(found.values())[:count], looked_at


def _round(
    space: SearchSpace, budget: LatencyBudget, rng: Random, parameters: ParameterBudget | None, classes: int
) -> list[NearNet]:
    drawn = space.sample(ROUND, rng)
    if parameters is not None:
        drawn = [net for net in drawn if space.plan(net, classes=classes).parameters() <= parameters.maximum]
    graphs = [space.lower(net, classes=classes) for net in drawn]
    predictions = budget.predictor.predict(graphs) if graphs else []
    low, high = (share * budget.maximum_ms for share in NEAR)
    return [
        NearNet(graph_digest(graph), graph, float(prediction.latency_ms))
        for graph, prediction in zip(graphs, predictions, strict=True)
        if low <= prediction.latency_ms <= high
    ]
