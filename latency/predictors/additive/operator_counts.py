"""Latency as a sum over counts of operators, by non-negative least squares: the base line that every table shows.

It knows no sizes: right where the nets differ only in which operators they have (NAS-Bench-201), poor elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.encoding.features import Features
from latency.predictors.encoding.liveness import liveness
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.sample_checks import LEAST_NETS, whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor
from latency.predictors.weighing import mean_error
from latency.sample import LatencySample

_LEAST_MS = 1e-6
_RIDGE = 1e-3
"""Of the relative error: keeps the costs of operators that always come together finite."""
_NAMED = ("kernel", "strides", "mode")
"""Properties that make operators of a family different ones."""
_DEAD = ""
"""Key of operators that are not charged for."""
_KEYS, _LIVE_KEYS = "keys", "live_keys"
"""On disk: a reader that knows of no dead operators must not take one for the other."""


class OperatorCountsPredictor(StoredPredictor):
    """One cost for each kind of operator, and a constant, fitted on whole nets alone.

    Args:
        live_only: operators that no output hangs on cost nothing, as on runtimes that skip what nobody needs.
    """

    name = "operator_counts"

    def __init__(self, *, live_only: bool = False) -> None:
        self._live_only = live_only
        self._costs: dict[str, float] = {}
        self._alone: frozenset[str] = frozenset()
        self._constant = _LEAST_MS
        self._table = OperatorTable()

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0, least: int = LEAST_NETS) -> None:  # noqa: ARG002 - of the contract
        """Deterministic, ``seed`` changes nothing. Operators of single-operator models count as seen, at no cost."""
        from scipy.optimize import nnls

        whole = whole_nets(samples, least=least)
        counts = [Counter(self._keys(sample.graph)) for sample in whole]
        keys = sorted({key for sample in samples for key in self._keys(sample.graph)} - {_DEAD})
        self._alone = frozenset(keys).difference(*counts)
        truth = np.array([sample.latency_ms for sample in whole])
        matrix = np.array([[1.0, *(float(count[key]) for key in keys)] for count in counts]) / truth[:, None]
        scale = np.maximum(np.sqrt((matrix**2).sum(axis=0)), _LEAST_MS)
        rows = np.vstack([matrix / scale, _RIDGE * np.eye(len(scale))])
        solution, _ = nnls(rows, np.concatenate([np.ones(len(whole)), np.zeros(len(scale))]))
        costs = np.maximum(solution / scale, _LEAST_MS)
        self._constant = float(costs[0])
        self._costs = dict(zip(keys, costs[1:].tolist(), strict=True))

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """See ``LatencyPredictor``; an operator that never occurred costs next to nothing and is named."""
        results = []
        for graph in graphs:
            keys = self._keys(graph)
            operators_ms = tuple(self._costs.get(key, _LEAST_MS) for key in keys)
            unseen = tuple(position for position, key in enumerate(keys) if key not in self._costs and key != _DEAD)
            alone = tuple(position for position, key in enumerate(keys) if key in self._alone)
            results.append(Prediction(sum(operators_ms) + self._constant, operators_ms, self._constant, unseen, alone))
        return results

    def document(self) -> tuple[Document, Arrays]:
        """See ``StoredPredictor``."""
        assert self._costs, "fit or load comes first"
        keys = _LIVE_KEYS if self._live_only else _KEYS
        document = {keys: list(self._costs), "alone": sorted(self._alone), "constant": self._constant}
        return document, {"costs": np.array(list(self._costs.values()))}

    def restore(self, document: Document, arrays: Arrays) -> None:
        """See ``StoredPredictor``."""
        self._live_only = _LIVE_KEYS in document
        keys = document[_LIVE_KEYS if self._live_only else _KEYS]
        self._costs = dict(zip(map(str, keys), arrays["costs"].tolist(), strict=True))
        self._alone = frozenset(map(str, document["alone"]))
        self._constant = float(document["constant"])

    def _keys(self, graph: OperatorGraph) -> list[str]:
        if self._table.full:
            self._table = OperatorTable()
        keys = [operator_key(self._table.features[row]) for row in self._table.rows(graph)]
        if not self._live_only:
            return keys
        return [key if charged else _DEAD for key, (_, charged) in zip(keys, liveness(graph), strict=True)]


def fitted_counts(samples: Sequence[LatencySample]) -> tuple[OperatorCountsPredictor, NDArray[np.float64]]:
    """Counts of all operators or, where that errs less on samples left out, of live ones; what they say of those."""
    latency_ms = np.array([sample.latency_ms for sample in samples])
    some_dead = not all(liveness(sample.graph)[:, 1].all() for sample in samples)
    choices = (False, True) if some_dead else (False,)
    tried = [(live_only, _left_out(samples, live_only=live_only)) for live_only in choices]
    live_only, left_out = min(tried, key=lambda each: mean_error(latency_ms / each[1]))
    predictor = OperatorCountsPredictor(live_only=live_only)
    predictor.fit(samples)
    return predictor, left_out


def _left_out(samples: Sequence[LatencySample], *, live_only: bool) -> NDArray[np.float64]:
    """What operator counts, fitted on the others, say of each sample."""
    told = []
    for position, sample in enumerate(samples):
        predictor = OperatorCountsPredictor(live_only=live_only)
        predictor.fit([*samples[:position], *samples[position + 1 :]], least=1)
        told += [one.latency_ms for one in predictor.predict([sample.graph])]
    return np.array(told)


def operator_key(operator: Features) -> str:
    """What operators of one cost have in common: family, kernel, strides, mode."""
    named = (category for category in operator.categories if category.partition("=")[0].rpartition(".")[2] in _NAMED)
    return " ".join((operator.family, *named))
