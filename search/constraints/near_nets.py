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
the calibration, so the nets that are sampled do not either.
"""
ROUND = 250
"""Nets that are sampled and predicted at once."""
MAX_EXAMINED = 2000
"""Nets that are examined before the search for more ends."""
_MAX_WITHOUT_SUCCESS = 500

OnFound = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class NearNet:
    """A net predicted near the budget; ``label`` is its graph's digest, as in a campaign."""

    label: str
    graph: OperatorGraph
    predicted_ms: float


def sample_near_nets(
    space: SearchSpace,
    budget: LatencyBudget,
    count: int,
    rng: Random,
    *,
    parameters: ParameterBudget | None = None,
    fitted: Collection[str] = (),
    on_found: OnFound = lambda _: None,
) -> tuple[list[NearNet], int]:
    """Samples ``count`` different nets near the budget, whatever their quality; also returns how many it examined.

    They are exchangeable with any further random net of the space that is within ``parameters``, is predicted in this
    range, and was not used for fitting. Fewer are found where they are rare (``MAX_EXAMINED``), none where the first
    ``_MAX_WITHOUT_SUCCESS`` random nets contain none.

    Args:
        space: to sample.
        budget: on one device; its predictor says which nets are near.
        count: of the nets wanted.
        rng: the only source of randomness.
        parameters: nets above this size are left out, since no search accepts them.
        fitted: digests of nets that the predictor was fitted on, which are left out.
        on_found: called with the number of nets found so far.
    """
    found: dict[str, NearNet] = {}
    examined = 0
    while len(found) < count and examined < (MAX_EXAMINED if found else _MAX_WITHOUT_SUCCESS):
        near = [net for net in _round(space, budget, rng, parameters) if net.label not in fitted]
        examined += ROUND
        # A space samples in the order of its strata, so the first ones found are no random subset.
        rng.shuffle(near)
        found.update((net.label, net) for net in near if net.label not in found)
        on_found(min(count, len(found)))
    return list(found.values())[:count], examined


def _round(space: SearchSpace, budget: LatencyBudget, rng: Random, parameters: ParameterBudget | None) -> list[NearNet]:
    sampled = space.sample(ROUND, rng)
    if parameters is not None:
        sampled = [net for net in sampled if space.parameters(net) <= parameters.maximum]
    graphs = [space.lower(net) for net in sampled]
    predictions = budget.predictor.predict(graphs) if graphs else []
    low, high = (share * budget.maximum_ms for share in NEAR)
    return [
        NearNet(graph_digest(graph), graph, float(prediction.latency_ms))
        for graph, prediction in zip(graphs, predictions, strict=True)
        if low <= prediction.latency_ms <= high
    ]
