"""The prior that is learned on other devices: their predictors, and how devices differ from each other."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import Prediction
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.predictors.threads import torch_threads
from latency.predictors.transfer.in_context import InContextTransformer
from latency.predictors.transfer.in_context_training import SAMPLES, InContextSettings, nets_of_task
from latency.predictors.transfer.net_groups import NetGroups
from latency.predictors.transfer.process_mixture import ProcessMixture, Task
from latency.predictors.transfer.source import SourcePredictor, latency_matrix
from latency.predictors.transfer.views import VIEW_GROUPS, VIEWS, view_group
from latency.sample import LatencySample

_logger = logging.getLogger(__name__)
Matrix = NDArray[np.float64]

_QUERIES = 64
_TASKS = 2000
_STEPS = 1000
MIN_NETS = 40
"""Fewest whole nets of a source device."""


@dataclass(frozen=True)
class SourceDevice:
    """A device with many measured nets; when tasks are made of it, devices of its ``family`` are no sources."""

    name: str
    """Its fingerprint, so that it can be left out where the new device is the same."""
    family: str
    samples: Sequence[LatencySample]


@dataclass(frozen=True)
class Prior:
    """Learned once on source devices, then frozen."""

    groups: NetGroups
    sources: Mapping[str, SourcePredictor]
    mixtures: Mapping[str, ProcessMixture]
    """By view."""
    transformer: InContextTransformer | None
    """Of all sources; None where one of them was taken out."""

    @staticmethod
    def learn(
        devices: Sequence[SourceDevice],
        *,
        seed: int = 0,
        steps: int = _STEPS,
        in_context: InContextSettings = InContextSettings(),  # noqa: B008 - frozen
    ) -> Prior:
        """Fits a predictor to each device, then learns to predict each one from the others.

        ``steps`` are those of ``ProcessMixture.learn``; ``in_context`` are the settings of the transformer.

        Raises:
            UserError: devices of fewer than two families, or one with too few nets.
        """
        families = {device.family for device in devices}
        if len(families) < 2:
            raise UserError(
                "source devices",
                seen=f"{len(devices)} of {len(families)} family",
                expected="devices of at least two families",
                remedy="profile another device, or this machine with another runtime",
            )
        sources = {device.name: SourcePredictor.fit(device.samples, minimum=MIN_NETS, seed=seed) for device in devices}
        measured = {device.name: whole_nets(device.samples, minimum=MIN_NETS) for device in devices}
        groups = NetGroups.learn([sample.graph for samples in measured.values() for sample in samples])
        nets = {graph_digest(sample.graph): sample.graph for samples in measured.values() for sample in samples}
        predicted = {name: source.latencies_ms(nets) for name, source in sources.items()}
        tables = [
            _Table.of(groups, measured[device.name], [predicted[other] for other in _others(device, devices)])
            for device in devices
        ]
        with torch_threads(1):
            mixtures = {name: _learned(name, tables, groups, seed, steps) for name in VIEWS}
        matrix = latency_matrix(predicted, measured)
        transformer = InContextTransformer.learn(list(nets.values()), matrix, in_context, seed=seed)
        return Prior(groups, sources, mixtures, transformer)

    def without(self, name: str) -> Prior | None:
        """Without one source; None where no other is left.

        A device's own measurements must not come back to it through a source: its test and calibration nets are among
        them. The transformer was trained on them, so it is left out as well.
        """
        if name not in self.sources:
            return self
        _logger.info("the prior was learned on this device as well: it is left out, and with it the transformer")
        sources = {other: source for other, source in self.sources.items() if other != name}
        return Prior(self.groups, sources, self.mixtures, None) if sources else None

    def source_predictions(self, graphs: Sequence[OperatorGraph]) -> list[list[Prediction]]:
        """sources x nets"""
        digests = [graph_digest(graph) for graph in graphs]
        return [source.predict(graphs, digests) for source in self.sources.values()]

    def document(self) -> tuple[Document, Arrays]:
        """Its numbers, as JSON and as arrays."""
        documents: Document = {
            "groups": self.groups.to_json(),
            "sources": {},
            "left_out_ms": {name: dict(source.left_out_ms) for name, source in self.sources.items()},
            "views": list(self.mixtures),
        }
        arrays: Arrays = {}
        for name, source in self.sources.items():
            documents["sources"][name], its_arrays = source.trees.document()
            arrays.update(prefixed(its_arrays, f"{name}/"))
        for view, mixture in self.mixtures.items():
            arrays.update(prefixed(vars(mixture), f"view.{view}."))
        documents["transformer"] = None
        if self.transformer is not None:
            documents["transformer"], its_arrays = self.transformer.document()
            arrays.update(prefixed(its_arrays, "transformer."))
        return documents, arrays

    @staticmethod
    def restored(document: Document, arrays: Arrays) -> Prior:
        """Reads ``document``; raises what ``StoredPredictor.restore`` may."""
        sources = {}
        known = document.get("left_out_ms", {})  # absent in priors of older versions
        for name, its_document in document["sources"].items():
            trees = BoostedTreesPredictor()
            trees.restore(its_document, without_prefix(arrays, f"{name}/"))
            left_out = {str(digest): float(ms) for digest, ms in known.get(name, {}).items()}
            sources[str(name)] = SourcePredictor(trees, left_out)
        mixtures = {str(view): ProcessMixture(**without_prefix(arrays, f"view.{view}.")) for view in document["views"]}
        transformer = None
        if document["transformer"] is not None:
            its_arrays = without_prefix(arrays, "transformer.")
            transformer = InContextTransformer.restored(document["transformer"], its_arrays)
        return Prior(NetGroups.from_json(document["groups"]), sources, mixtures, transformer)


@dataclass(frozen=True)
class _Table:
    """One device's nets: their features, the predictions of sources of other families, and the measured latencies."""

    net: Matrix
    source_ms: Matrix
    latency_ms: Matrix

    @staticmethod
    def of(groups: NetGroups, samples: Sequence[LatencySample], predicted: Sequence[Mapping[str, float]]) -> _Table:
        graphs = [sample.graph for sample in samples]
        source_ms = np.array([[its[graph_digest(graph)] for graph in graphs] for its in predicted]).T
        return _Table(groups.encode(graphs), source_ms, np.array([sample.latency_ms for sample in samples]))

    def task(self, view: str, group: NDArray[np.int64], random: np.random.Generator) -> Task:
        """A few random nets as samples, others as queries."""
        order = nets_of_task(self.latency_ms, random)
        count = min(int(random.choice(SAMPLES)), len(order) // 2)
        known, queries = order[:count], order[count : count + _QUERIES]
        fitted = VIEWS[view].of(self.source_ms[known], self.latency_ms[known])
        return Task(
            features=fitted.columns(self.net[known], self.source_ms[known]),
            target=fitted.target(self.latency_ms[known], self.source_ms[known]),
            queries=fitted.columns(self.net[queries], self.source_ms[queries]),
            query_target=fitted.target(self.latency_ms[queries], self.source_ms[queries]),
            group=view_group(group, self.source_ms.shape[1]),
        )


def _others(device: SourceDevice, devices: Sequence[SourceDevice]) -> list[str]:
    return [other.name for other in devices if other.family != device.family]


def _learned(view: str, tables: Sequence[_Table], groups: NetGroups, seed: int, steps: int) -> ProcessMixture:
    random = np.random.default_rng(seed)
    tasks = [tables[int(random.integers(len(tables)))].task(view, groups.group, random) for _ in range(_TASKS)]
    return ProcessMixture.learn(tasks, VIEW_GROUPS, seed=seed, steps=steps)
