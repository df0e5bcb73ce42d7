"""New devices from 10 or 20 nets, on published tables of latencies: the protocol of HELP (Lee et al., NeurIPS 2021).

What the source devices measured of some nets is known; of a new device a few of these nets are measured, and other nets
are predicted. Samples and queries are without the fastest and slowest tenth of that device.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latency.campaign_items import POOL
from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.operator_counts import OperatorCountsPredictor
from latency.predictors.stored import StoredPredictor
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.informative_nets import informative_nets
from latency.predictors.transfer.prior import Prior, SourceDevice
from latency.predictors.transfer.prior_folder import load_prior, save_prior
from latency.predictors.weighing import Weighing
from latency.sample import LatencySample
from latency.scores import Scores

COUNTS = (10, 20)
"""Numbers of nets that are measured on the new device."""
WORST = "worst part has the most weight"
"""Share of the draws."""
Cells = NDArray[np.int64]
Vector = NDArray[np.float64]


class PublicTable(Protocol):
    """Latencies that somebody published."""

    def graph(self, net: int) -> OperatorGraph:
        """One of the nets."""

    def of(self, device: str) -> Vector:
        """Milliseconds of one device, by net."""


class Nets:
    """Graphs of nets, built once.

    Args:
        table: latencies.
        training: nets of which samples are drawn; what sources measured of them is known.
        queries: nets to be predicted.
    """

    def __init__(self, table: PublicTable, training: Cells, queries: Cells) -> None:
        self.table, self.training, self.queries = table, training, queries
        self.graphs = {int(net): table.graph(int(net)) for net in (*training, *queries)}

    def samples(self, device: str, nets: Iterable[int] | Cells) -> list[LatencySample]:
        """What the device measured of the nets."""
        latency_ms = self.table.of(device)
        return [LatencySample(str(net), self.graphs[net], float(latency_ms[net])) for net in map(int, nets)]


@dataclass(frozen=True)
class RememberingPrior(Prior):
    """Caches the predictions of nets; for a benchmark that draws many times."""

    known: dict[int, list[Prediction]] = field(default_factory=dict)
    """By identity of the graph: ``Nets`` keeps them all."""

    def source_predictions(self, graphs: Sequence[OperatorGraph], net: Vector) -> list[list[Prediction]]:
        """See ``Prior``."""
        new = [place for place, graph in enumerate(graphs) if id(graph) not in self.known]
        predictions = zip(*super().source_predictions([graphs[place] for place in new], net[new]), strict=True)
        self.known.update((id(graphs[place]), list(each)) for place, each in zip(new, predictions, strict=True))
        return [list(each) for each in zip(*(self.known[id(graph)] for graph in graphs), strict=True)]


def trimmed(latency_ms: Vector, nets: Cells) -> Cells:
    """Without the fastest and the slowest tenth."""
    low, high = np.quantile(latency_ms[nets], [0.1, 0.9])
    return nets[(latency_ms[nets] >= low) & (latency_ms[nets] <= high)]


def scored(predictor: StoredPredictor, training: list[LatencySample], queries: list[LatencySample]) -> dict[str, float]:
    """Scores of a predictor once it is fitted, and the seconds that took."""
    started = time.monotonic()
    predictor.fit(training, seed=0)
    seconds = time.monotonic() - started
    predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in queries])]
    scores = Scores.of(predicted, [sample.latency_ms for sample in queries])
    return {**asdict(scores), "fit_seconds": round(seconds, 2)}


def learned_prior(nets: Nets, folder: Path | None, sources: Mapping[str, str]) -> tuple[Prior, float | None]:
    """From the source devices (names and families), with the seconds it took; or from an earlier run's ``folder``."""
    started, seconds = time.monotonic(), None
    if folder and folder.is_dir():
        prior = load_prior(folder)
    else:
        devices = [
            SourceDevice(name, family, nets.samples(name, nets.training[nets.table.of(name)[nets.training] > 0]))
            for name, family in sources.items()
        ]
        prior = Prior.learn(devices)
        seconds = round(time.monotonic() - started, 1)
        print(f"prior: {seconds} s", file=sys.stderr)
        if folder:
            save_prior(folder, prior)
    return RememberingPrior(prior.groups, prior.sources, prior.mixtures, prior.weighing, prior.transformer), seconds


def few_samples(nets: Nets, devices: Sequence[str], repeats: int, prior: Prior) -> dict[str, Any]:
    """Mean rank correlation by number of samples, device and predictor, and the mean weights of the parts.

    ``drawn``: ``few_samples`` from random nets; ``alone`` and ``without``: each of its parts, and the others.
    ``chosen``: from nets as ``latseg profile`` chooses them, without any measurement of the device and hence not
    trimmed by it; ``pool``: from random ones of those that it chooses from.
    """
    found: dict[str, Any] = {}
    for count in COUNTS:
        found[str(count)] = {device: _device(nets, device, repeats, prior, count) for device in devices}
        rows = next(iter(found[str(count)].values()))
        found[str(count)]["mean"] = {
            row: float(np.mean([found[str(count)][device][row] for device in devices])) for row in rows
        }
    return found


def _device(nets: Nets, device: str, repeats: int, prior: Prior, count: int) -> dict[str, float]:
    latency_ms, rows = nets.table.of(device), dict[str, list[float]]()
    known, queries = trimmed(latency_ms, nets.training), nets.samples(device, trimmed(latency_ms, nets.queries))
    for repeat in range(repeats):
        random = np.random.default_rng([repeat, count])
        drawn = nets.samples(device, random.permutation(known)[:count])
        pool = random.permutation(nets.training[latency_ms[nets.training] > 0])[:POOL]
        best = pool[informative_nets(prior, [nets.graphs[int(net)] for net in pool], count)]
        found = _parts(FewSamplesPredictor(prior), drawn, queries)
        found["chosen"] = scored(FewSamplesPredictor(prior), nets.samples(device, best), queries)["spearman"]
        found["pool"] = scored(FewSamplesPredictor(prior), nets.samples(device, pool[:count]), queries)["spearman"]
        found["operator_counts"] = scored(OperatorCountsPredictor(), drawn, queries)["spearman"]
        found["flops"] = _spearman([sum(op.flops for op in one.graph.operators) for one in queries], queries)
        for name, value in found.items():
            rows.setdefault(name, []).append(value)
    means = {name: float(np.mean(values)) for name, values in rows.items()}
    print(f"{count} {device} { {name: round(value, 3) for name, value in means.items()} }", file=sys.stderr)
    return means


def _parts(
    predictor: FewSamplesPredictor, drawn: list[LatencySample], queries: list[LatencySample]
) -> dict[str, float]:
    """Of the predictor, of each of its parts and of all others, and their weights."""
    predictor.fit(drawn, seed=0)
    graphs = [sample.graph for sample in queries]
    logs = {}
    for name in predictor.weights:
        single = copy.copy(predictor)
        single.weights = {each: float(each == name) for each in predictor.weights}
        logs[name] = np.log([one.latency_ms for one in single.predict(graphs)])

    def score(weights: Mapping[str, float]) -> float:
        return _spearman(np.exp(sum(weight * logs[name] for name, weight in weights.items())), queries)

    assert predictor.errors
    found = {
        "drawn": score(predictor.weights),
        "errors alone": score(Weighing().weights(predictor.errors, len(drawn))),
    }
    for name, weight in predictor.weights.items():
        rest = {other: its / max(1 - weight, 1e-9) for other, its in predictor.weights.items() if other != name}
        found |= {f"{name} alone": score({name: 1.0}), f"without {name}": score(rest), f"weight of {name}": weight}
    worst = min(predictor.weights, key=lambda name: found[f"{name} alone"])
    found[WORST] = float(max(predictor.weights, key=predictor.weights.__getitem__) == worst)
    return found


def _spearman(predicted: Any, queries: Sequence[LatencySample]) -> float:
    return Scores.of(np.asarray(predicted).tolist(), [sample.latency_ms for sample in queries]).spearman
