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
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.predictors.threads import torch_threads
from latency.predictors.transfer.in_context import InContextTransformer
from latency.predictors.transfer.in_context_training import InContextSettings
from latency.predictors.transfer.process_mixture import STEPS, ProcessMixture
from latency.predictors.transfer.source import SourcePredictor, latency_matrix
from latency.predictors.transfer.source_tasks import SourceTable, learned_mixtures, learned_weighing
from latency.predictors.transfer.views import VIEWS
from latency.predictors.weighing import Weighing
from latency.sample import LatencySample

_logger = logging.getLogger(__name__)
Matrix = NDArray[np.float64]

MIN_NETS = 40
"""Fewest whole nets of a source device."""
MIN_FAMILIES = 4
"""From so many on biases are learned: of two or three, what is good on one says little of a new device."""


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
    weighing: Weighing
    """Of views, operator counts and the transformer; without biases where it was learned on few families."""
    transformer: InContextTransformer | None
    """Of all sources; None where one of them was taken out."""

    @staticmethod
    def learn(
        devices: Sequence[SourceDevice],
        *,
        seed: int = 0,
        steps: int = STEPS,
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
        measured = {device.name: whole_nets(device.samples, minimum=MIN_NETS) for device in devices}
        nets = {graph_digest(sample.graph): sample.graph for samples in measured.values() for sample in samples}
        groups = NetGroups.learn(list(nets.values()))
        sources = {
            device.name: SourcePredictor.fit(device.samples, groups, minimum=MIN_NETS, seed=seed) for device in devices
        }
        encoded = groups.encode(list(nets.values()))
        predicted = {name: source.latencies_ms(nets, encoded) for name, source in sources.items()}
        tables = [
            SourceTable.of(groups, measured[device.name], [predicted[other] for other in _others(device, devices)])
            for device in devices
        ]
        with torch_threads(1):
            mixtures = learned_mixtures(tables, groups, seed=seed, steps=steps)
        matrix = latency_matrix(predicted, measured)
        transformer = InContextTransformer.learn(list(nets.values()), matrix, in_context, seed=seed)
        many = len(families) >= MIN_FAMILIES
        weighing = learned_weighing(tables, groups, mixtures, transformer, seed=seed) if many else Weighing()
        return Prior(groups, sources, mixtures, weighing, transformer)

    def without(self, name: str) -> Prior | None:
        """Without one source; None where no other is left.

        A device's own measurements must not come back to it through a source: its test and calibration nets are among
        them. The transformer was trained on them, so it is left out as well.
        """
        if name not in self.sources:
            return self
        _logger.info("the prior was learned on this device as well: it is left out, and with it the transformer")
        sources = {other: source for other, source in self.sources.items() if other != name}
        return Prior(self.groups, sources, self.mixtures, self.weighing, None) if sources else None

    def source_predictions(self, graphs: Sequence[OperatorGraph], net: Matrix) -> list[list[Prediction]]:
        """sources x nets; ``net`` holds the nets' features, encoded by ``groups``."""
        digests = [graph_digest(graph) for graph in graphs]
        return [source.predict(graphs, digests, net) for source in self.sources.values()]

    def document(self) -> tuple[Document, Arrays]:
        """Its numbers, as JSON and as arrays."""
        documents: Document = {
            "groups": self.groups.to_json(),
            "sources": {},
            "views": list(self.mixtures),
            "bias": dict(self.weighing.bias),
        }
        arrays: Arrays = {}
        for name, source in self.sources.items():
            documents["sources"][name], its_arrays = source.document()
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
        """Reads ``document``; raises what ``StoredPredictor.restore`` may.

        Raises:
            UserError: it was written by an earlier version.
        """
        if any("process" not in source for source in document["sources"].values()):
            raise UserError(
                "prior",
                seen="one of an earlier version, which knows no sizes of operators",
                expected="one of this version",
                remedy="run `latseg fit` again; learn a prior of your own anew before (`latseg pretrain`)",
            )
        groups = NetGroups.from_json(document["groups"])
        sources = {
            str(name): SourcePredictor.restored(its_document, without_prefix(arrays, f"{name}/"), groups)
            for name, its_document in document["sources"].items()
        }
        if not sources or set(document["views"]) != set(VIEWS):
            raise ValueError("a prior without sources, or of other views")
        mixtures = {str(view): ProcessMixture(**without_prefix(arrays, f"view.{view}.")) for view in document["views"]}
        weighing = Weighing({str(name): float(value) for name, value in document["bias"].items()})
        transformer = None
        if document["transformer"] is not None:
            its_arrays = without_prefix(arrays, "transformer.")
            transformer = InContextTransformer.restored(document["transformer"], its_arrays)
        return Prior(groups, sources, mixtures, weighing, transformer)


def _others(device: SourceDevice, devices: Sequence[SourceDevice]) -> list[str]:
    return [other.name for other in devices if other.family != device.family]
