"""Latency as a sum over counts of operators, by non-negative least squares: the baseline that every table shows.

It ignores sizes: good where nets differ only in which operators they have (NAS-Bench-201), poor elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.sample_checks import MIN_NETS, whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor
from latency.predictors.weighing import mean_error
from latency.sample import LatencySample

_MIN_MS = 1e-6
_RIDGE = 1e-3
"""Penalty: keeps the costs of operators that always occur together finite."""
_DEAD = ""
"""Key of operators that cost nothing."""
_KEYS, _LIVE_KEYS = "keys", "live_keys"
"""In stored documents: an older reader, which does not know of dead operators, refuses the second one."""


class OperatorCountsPredictor(StoredPredictor):
    """One cost for each kind of operator and an overhead, fitted on whole nets only.

    Args:
        live_only: operators that no output depends on cost nothing, as on runtimes that skip them.
    """

    name = "operator_counts"

    def __init__(self, *, live_only: bool = False) -> None:
        self._live_only = live_only
        self._costs: dict[str, float] = {}
        self._isolated: frozenset[str] = frozenset()
        self._overhead = _MIN_MS
        self._table = OperatorTable()
        self._key_of_row: list[str] = []

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0, minimum: int = MIN_NETS) -> None:  # noqa: ARG002 - of the contract
        """Deterministic, ``seed`` changes nothing. Operators of single-operator models count as seen, at no cost."""
        from scipy.optimize import nnls

        whole = whole_nets(samples, minimum=minimum)
        counts = [Counter(self._keys(sample.graph)) for sample in whole]
        keys = sorted({key for sample in samples for key in self._keys(sample.graph)} - {_DEAD})
        self._isolated = frozenset(keys).difference(*counts)
        truth = np.array([sample.latency_ms for sample in whole])
        matrix = np.array([[1.0, *(float(count[key]) for key in keys)] for count in counts]) / truth[:, None]
        scale = np.maximum(np.sqrt((matrix**2).sum(axis=0)), _MIN_MS)
        rows = np.vstack([matrix / scale, _RIDGE * np.eye(len(scale))])
        solution, _ = nnls(rows, np.concatenate([np.ones(len(whole)), np.zeros(len(scale))]))
        costs = np.maximum(solution / scale, _MIN_MS)
        self._overhead = float(costs[0])
        self._costs = dict(zip(keys, costs[1:].tolist(), strict=True))

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        # An operator that never occurred costs next to nothing and is reported as unseen.
        results = []
        for graph in graphs:
            keys = self._keys(graph)
            operators_ms = tuple(self._costs.get(key, _MIN_MS) for key in keys)
            unseen = tuple(position for position, key in enumerate(keys) if key not in self._costs and key != _DEAD)
            isolated = tuple(position for position, key in enumerate(keys) if key in self._isolated)
            results.append(
                Prediction(sum(operators_ms) + self._overhead, operators_ms, self._overhead, unseen, isolated)
            )
        return results

    @override
    def document(self) -> tuple[Document, Arrays]:
        assert self._costs, "fit or load comes first"
        keys = _LIVE_KEYS if self._live_only else _KEYS
        document = {keys: list(self._costs), "alone": sorted(self._isolated), "constant": self._overhead}
        return document, {"costs": np.array(list(self._costs.values()))}

    @override
    def restore(self, document: Document, arrays: Arrays) -> None:
        self._live_only = _LIVE_KEYS in document
        keys = document[_LIVE_KEYS if self._live_only else _KEYS]
        self._costs = dict(zip(map(str, keys), arrays["costs"].tolist(), strict=True))
        self._isolated = frozenset(map(str, document["alone"]))
        self._overhead = float(document["constant"])

    def _keys(self, graph: OperatorGraph) -> list[str]:
        if self._table.full:
            self._table, self._key_of_row = OperatorTable(), []
        rows = self._table.rows(graph)
        self._key_of_row += [each.key for each in self._table.features[len(self._key_of_row) :]]
        keys = [self._key_of_row[row] for row in rows]
        if not self._live_only:
            return keys
        return [key if charged else _DEAD for key, (_, charged) in zip(keys, liveness(graph), strict=True)]


def fitted_counts(samples: Sequence[LatencySample]) -> tuple[OperatorCountsPredictor, NDArray[np.float64]]:
    """Counts of all operators or of live ones, whichever has the smaller leave-one-out error; and its predictions."""
    latency_ms = np.array([sample.latency_ms for sample in samples])
    some_dead = not all(liveness(sample.graph)[:, 1].all() for sample in samples)
    choices = (False, True) if some_dead else (False,)
    tried = [(live_only, _left_out(samples, live_only=live_only)) for live_only in choices]
    live_only, left_out = min(tried, key=lambda each: mean_error(latency_ms / each[1]))
    predictor = OperatorCountsPredictor(live_only=live_only)
    predictor.fit(samples)
    return predictor, left_out


def _left_out(samples: Sequence[LatencySample], *, live_only: bool) -> NDArray[np.float64]:
    """Leave-one-out predictions of the samples, in milliseconds."""
    predictions = []
    predictor = OperatorCountsPredictor(live_only=live_only)  # only one, so that each operator is encoded once
    for position, sample in enumerate(samples):
        predictor.fit([*samples[:position], *samples[position + 1 :]], minimum=1)
        predictions += [one.latency_ms for one in predictor.predict([sample.graph])]
    return np.array(predictions)
