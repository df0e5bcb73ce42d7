"""What a campaign measures: whole nets, and the operators that make up most of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from latency.operators.operator import Operator, OperatorGraph
from latency.operators.serialize import graph_digest
from latency.operators.synthesize import single_operator
from latency.store import Source

_FLOPS_PER_BYTE = 4
"""About what a CPU core computes while it moves one byte; only ranks operators, so its order of magnitude will do."""


@dataclass(frozen=True, slots=True)
class CampaignItem:
    """One model to be measured; ``label`` is the graph's digest, so that a campaign knows what it has."""

    label: str
    graph: OperatorGraph
    source: Source


def campaign_items(graphs: Sequence[OperatorGraph], operator_limit: int) -> list[CampaignItem]:
    """The distinct nets, then single-operator models for at most ``operator_limit`` operators that they contain.

    Half of the operators are the costliest of each family (kind, kernel, strides, activation) in turn, so that nothing
    common goes unmeasured; the rest are those that make up the largest shares of their nets.
    """
    nets = {graph_digest(graph): graph for graph in graphs}
    operators = [single_operator(operator) for operator in _choose(list(nets.values()), operator_limit)]
    return [
        *(CampaignItem(label, graph, "campaign") for label, graph in nets.items()),
        *(CampaignItem(graph_digest(graph), graph, "operator") for graph in operators),
    ]


def operator_items(graphs: Sequence[OperatorGraph]) -> list[CampaignItem]:
    """Single-operator models of every distinct operator of the graphs, the costliest first."""
    distinct = {operator.signature: operator for graph in graphs for operator in graph.operators}
    ranked = sorted(distinct.values(), key=lambda operator: (-_rough_cost(operator), repr(operator.signature)))
    alone = [single_operator(operator) for operator in ranked]
    return [CampaignItem(graph_digest(graph), graph, "operator") for graph in alone]


def _choose(graphs: Sequence[OperatorGraph], limit: int) -> list[Operator]:
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
