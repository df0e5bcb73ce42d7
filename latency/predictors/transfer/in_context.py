"""The in-context transformer: pre-trained once, then adapted to a new device by one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.stored import Arrays, Document
from latency.predictors.threads import torch_threads
from latency.predictors.transfer.in_context_network import InContextNetwork
from latency.predictors.transfer.in_context_training import InContextSettings, pretrain
from latency.predictors.transfer.merged_batch import MergedBatch, MergedVocabulary
from latency.predictors.transfer.merged_operators import MergedNet, merged
from latency.predictors.transfer.synthetic_devices import DeviceSource

Matrix = NDArray[np.float64]
Indices = NDArray[np.int64]
IN_CONTEXT = "in_context"
"""Name of the transformer among the parts of a predictor."""
_CHUNK = 256
"""Nets that are predicted at once."""
_STORED_NAMES = {"latency_features": "told", "decoder_blocks": "ask_blocks", "decoder_norm": "ask_norm"}
"""Names of layers in stored priors, where they differ from the names in Python."""
_MIN = 0.02
"""Smallest prediction, as a share of the samples' mean."""


@dataclass(frozen=True)
class Context:
    """The encoded samples of devices, the same number for each."""

    hardware: Tensor
    """devices x HARDWARE x width"""
    totals: Tensor
    """devices x samples x TOTALS x features"""
    y: Tensor
    """devices x samples: latency over their mean."""
    level_ms: Matrix
    """devices: the samples' mean."""

    def document(self) -> tuple[Document, Arrays]:
        """The context of one device, as JSON and as arrays."""
        arrays = {name: getattr(self, name)[0].numpy() for name in ("hardware", "totals", "y")}
        return {"level_ms": float(self.level_ms[0])}, arrays

    @staticmethod
    def restored(document: Document, arrays: Arrays) -> Context:
        """Reads ``document``; raises what ``StoredPredictor.restore`` may."""
        hardware, totals, y = (torch.from_numpy(arrays[name])[None] for name in ("hardware", "totals", "y"))
        return Context(hardware, totals, y, np.array([float(document["level_ms"])]))


@dataclass
class InContextTransformer:
    """Frozen after ``learn``; a table of operators is cached."""

    vocabulary: MergedVocabulary
    settings: InContextSettings
    network: InContextNetwork
    _table: OperatorTable = field(default_factory=OperatorTable)

    @staticmethod
    def learn(
        graphs: Sequence[OperatorGraph], measured: Matrix, settings: InContextSettings, *, seed: int = 0
    ) -> InContextTransformer:
        """Pre-trains on one thread.

        Args:
            graphs: nets, at least three.
            measured: devices x nets, milliseconds.
            settings: hyper-parameters.
            seed: of the weights and of the synthetic devices.
        """
        table = OperatorTable()
        nets = [merged(graph, table) for graph in graphs]
        vocabulary = MergedVocabulary.learn(nets)
        network = _network(vocabulary, settings, seed)
        with torch_threads(1):
            pretrain(network, vocabulary.encode(nets), DeviceSource.of(nets, measured), settings, seed=seed)
        return InContextTransformer(vocabulary, settings, network)

    def condition(self, graphs: Sequence[OperatorGraph], latency_ms: Matrix) -> tuple[Context, Matrix]:
        """The encoded samples of a device, and their leave-one-out predictions in milliseconds."""
        batch = self.vocabulary.encode(self._merged(graphs))
        count = len(graphs)
        every = np.arange(count)
        rest = np.array([np.delete(every, left) for left in every])
        with torch.no_grad(), torch_threads(1):
            context = self._encoded(batch, every[None], latency_ms)
            left_out = self._decoded(self._encoded(batch, rest, latency_ms), batch, every[:, None])
        return context, left_out[:, 0]

    def predict(self, context: Context, graphs: Sequence[OperatorGraph]) -> Matrix:
        """nets: milliseconds on the device of the context; for an empty net the samples' mean."""
        result = np.full(len(graphs), context.level_ms[0])
        places = [place for place, graph in enumerate(graphs) if graph.operators]
        with torch.no_grad(), torch_threads(1):
            for start in range(0, len(places), _CHUNK):
                chosen = places[start : start + _CHUNK]
                batch = self.vocabulary.encode(self._merged([graphs[place] for place in chosen]))
                result[chosen] = self._decoded(context, batch, np.arange(len(batch))[None])[0]
        return result

    def document(self) -> tuple[Document, Arrays]:
        """Its numbers, as JSON and as arrays."""
        weights = {_stored_name(name): tensor.numpy() for name, tensor in self.network.state_dict().items()}
        return {"vocabulary": self.vocabulary.to_json(), "settings": asdict(self.settings)}, weights

    @staticmethod
    def restored(document: Document, arrays: Arrays) -> InContextTransformer:
        """Reads ``document``; raises what ``StoredPredictor.restore`` may."""
        vocabulary = MergedVocabulary.from_json(document["vocabulary"])
        settings = InContextSettings(**document["settings"])
        network = _network(vocabulary, settings, 0)
        network.load_state_dict({name: torch.from_numpy(arrays[_stored_name(name)]) for name in network.state_dict()})
        return InContextTransformer(vocabulary, settings, network.eval())

    def _merged(self, graphs: Sequence[OperatorGraph]) -> list[MergedNet]:
        if self._table.full:
            self._table = OperatorTable()
        return [merged(graph, self._table) for graph in graphs]

    def _encoded(self, batch: MergedBatch, known: Indices, latency_ms: Matrix) -> Context:
        """The context of the devices whose samples are the rows of ``known`` (devices x samples)."""
        level = latency_ms[known].mean(axis=1)
        y = torch.from_numpy((latency_ms[known] / level[:, None]).astype(np.float32))
        nets, _, present = self._nets(batch)
        totals = torch.from_numpy(batch.totals)[known]
        left_out, _ = self.network.bases(totals, y, totals[:, :1])
        return Context(self.network.devices(nets[known], present[known], y, left_out), totals, y, level)

    def _decoded(self, context: Context, batch: MergedBatch, queries: Indices) -> Matrix:
        """``queries`` is devices x nets of the batch; so is the result (ms)."""
        nets, relations, present = self._nets(batch)
        _, base = self.network.bases(context.totals, context.y, torch.from_numpy(batch.totals)[queries])
        hardware = context.hardware.repeat_interleave(queries.shape[1], dim=0)
        flat = queries.reshape(-1)
        predicted = self.network.decode(hardware, nets[flat], relations[flat], present[flat], base.flatten(0, 1))
        y: Matrix = predicted.double().numpy().reshape(queries.shape)
        return np.maximum(y, _MIN) * context.level_ms[:, None]

    def _nets(self, batch: MergedBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Encoded, their relations and presence."""
        relations, present = torch.from_numpy(batch.relations), torch.from_numpy(batch.present).float()
        return self.network.nets(torch.from_numpy(batch.features), relations, present), relations, present


def _stored_name(name: str) -> str:
    layer, dot, rest = name.partition(".")
    return f"{_STORED_NAMES.get(layer, layer)}{dot}{rest}"


def _network(vocabulary: MergedVocabulary, settings: InContextSettings, seed: int) -> InContextNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return InContextNetwork(
            vocabulary.width,
            vocabulary.totals,
            width=settings.width,
            heads=settings.heads,
            layers=settings.layers,
        )
