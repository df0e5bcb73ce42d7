"""What a campaign measures: whole nets, and the operators that make up most of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundation.errors import UserError
from latency.operators.neighbourhood import inner, neighbourhood
from latency.operators.operator import Operator, OperatorGraph
from latency.operators.serialize import graph_digest
from latency.operators.synthesize import single_operator, to_model
from latency.store import Source

if TYPE_CHECKING:
    from latency.predictors.transfer.prior import Prior

POOL = 400
"""Random nets from which the most informative ones are chosen."""
DEFAULT_OPERATORS = 100
"""Single-operator models beside many nets; see ``default_operators``."""
DEFAULT_PASSES = 3
"""Measurements of each of many nets; ``benchmarks/passes.py`` compares."""
_FLOPS_PER_BYTE = 4
"""About what a CPU core computes while it moves one byte; only ranks operators, so its order of magnitude suffices."""


@dataclass(frozen=True, slots=True)
class CampaignItem:
    """One model to be measured; ``label`` is the graph's digest, by which a campaign finds what is stored."""

    label: str
    graph: OperatorGraph
    source: Source

    @property
    def is_neighbourhood(self) -> bool:
        """Whether it is no net and more than one operator; each of its operators is an item as well."""
        return self.source == "operator" and len(self.graph.operators) > 1


@dataclass(frozen=True)
class CampaignChoice:
    """Nets to be measured."""

    graphs: list[OperatorGraph]
    chosen: bool
    """Whether they are the most informative ones of a larger random sample."""


def choose_nets(
    sample: Callable[[int], list[OperatorGraph]], count: int, prior_of_others: Callable[[], Prior | None]
) -> CampaignChoice:
    """``count`` nets; with a prior and at most ``FEW_NETS`` of them the most informative of ``POOL``.

    Args:
        sample: from a number to so many random nets; the same ones at each call.
        count: nets wanted.
        prior_of_others: returns the prior fitted on other devices, without the one that is to be measured; called only
            where ``count`` is at most ``FEW_NETS``.
    """
    from latency.fit import FEW_NETS

    prior = prior_of_others() if count <= FEW_NETS else None
    if prior is None:
        return CampaignChoice(sample(count), chosen=False)
    from latency.predictors.transfer.informative_nets import informative_nets

    pool = sample(POOL)
    return CampaignChoice([pool[position] for position in informative_nets(prior, pool, count)], chosen=True)


def default_operators(nets: int) -> int:
    """How many single-operator models a campaign of so many nets measures by default.

    None beside few nets, where they took most of the time and did not improve the predictions.
    """
    from latency.fit import FEW_NETS

    return 0 if nets <= FEW_NETS else DEFAULT_OPERATORS


def default_passes(nets: int) -> int:
    """How often a campaign of so many nets measures each of them by default.

    Once where they are few: their predictor errs by more than a measurement.
    """
    from latency.fit import FEW_NETS

    return 1 if nets <= FEW_NETS else DEFAULT_PASSES


def campaign_items(graphs: Sequence[OperatorGraph], operator_limit: int) -> list[CampaignItem]:
    """The distinct nets, then single-operator models for at most ``operator_limit`` operators that they contain.

    Half of the operators are the costliest of each family (kind, kernel, strides, activation) in turn, so that nothing
    common is left out; the rest are those that make up the largest shares of their nets.
    """
    nets = {graph_digest(graph): graph for graph in graphs}
    operators = _choose_operators(list(nets.values()), operator_limit)
    return [
        *(CampaignItem(label, graph, "campaign") for label, graph in nets.items()),
        *(_operator_item(single_operator(each)) for each in operators),
    ]


def operator_items(graphs: Sequence[OperatorGraph]) -> list[CampaignItem]:
    """Models of every distinct operator of the graphs, the costliest first; then models in which each is ``inner``."""
    distinct = {operator.signature: operator for graph in graphs for operator in graph.operators}
    ranked = sorted(distinct.values(), key=lambda operator: (-_rough_cost(operator), repr(operator.signature)))
    return [_operator_item(model) for model in (*map(single_operator, ranked), *_neighbourhoods(graphs))]


def _neighbourhoods(graphs: Sequence[OperatorGraph]) -> Iterator[OperatorGraph]:
    covered: set[tuple[object, ...]] = set()
    for graph in graphs:
        for position, operator in enumerate(graph.operators):
            around = None if operator.signature in covered else neighbourhood(graph, position)
            if around is not None and _can_be_written(around):
                covered.update(around.operators[place].signature for place in inner(around))
                yield around


def _can_be_written(graph: OperatorGraph) -> bool:
    try:
        to_model(graph)
    except UserError:
        return False
    return True


def _operator_item(model: OperatorGraph) -> CampaignItem:
    return CampaignItem(graph_digest(model), model, "operator")


def _choose_operators(graphs: Sequence[OperatorGraph], limit: int) -> list[Operator]:
    shares: defaultdict[tuple[object, ...], float] = defaultdict(float)
    distinct: dict[tuple[object, ...], Operator] = {}
    for graph in graphs:
        costs = [_rough_cost(operator) for operator in graph.operators]
        for operator, cost in zip(graph.operators, costs, strict=True):
            shares[operator.signature] += cost / sum(costs)
            distinct[operator.signature] = operator
    ranked = sorted(distinct.values(), key=lambda operator: (-shares[operator.signature], repr(operator.signature)))
    families: dict[object, Operator] = {}
    for operator in ranked:
        families.setdefault(_family(operator), operator)
    chosen = {operator.signature: operator for operator in list(families.values())[: limit // 2]}
    for operator in ranked:
        if len(chosen) >= limit:
            break
        chosen.setdefault(operator.signature, operator)
    return list(chosen.values())


def _rough_cost(operator: Operator) -> float:
    return operator.flops / _FLOPS_PER_BYTE + operator.bytes_read + operator.bytes_written


def _family(operator: Operator) -> tuple[object, ...]:
    depthwise = operator.attribute("group", 1) != 1
    named = ("kernel", "strides", "dilations", "activation", "mode")
    return operator.kind, depthwise, *(operator.attribute(name, "") for name in named)
