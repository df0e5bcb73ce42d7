"""Cache of what is known of each different operator: the nets of a space share most of theirs."""

from __future__ import annotations

from latency.operators.operator import Operator, OperatorGraph
from latency.predictors.encoding.features import Features, features

_LIMIT = 200_000


class OperatorTable:
    """Gives every different operator a row number and keeps its features.

    Operators are looked up by identity first (builders return one object for equal operators), then by signature.
    """

    def __init__(self) -> None:
        self.features: list[Features] = []
        self.operators: list[Operator] = []
        self._by_identity: dict[int, tuple[Operator, int]] = {}
        self._by_signature: dict[tuple[object, ...], int] = {}

    @property
    def full(self) -> bool:
        """Whether the table should be replaced by a new one before it takes too much memory."""
        return len(self.features) > _LIMIT or len(self._by_identity) > 4 * _LIMIT

    def rows(self, graph: OperatorGraph) -> list[int]:
        """Row of each operator of the graph; new operators are added."""
        known = self._by_identity
        result = []
        for operator in graph.operators:
            entry = known.get(id(operator))
            # The entry keeps its operator alive, so an identity is never reused for another one.
            result.append(self._add(operator) if entry is None else entry[1])
        return result

    def _add(self, operator: Operator) -> int:
        row = self._by_signature.get(operator.signature)
        if row is None:
            row = self._by_signature[operator.signature] = len(self.features)
            self.features.append(features(operator))
            self.operators.append(operator)
        self._by_identity[id(operator)] = (operator, row)
        return row
