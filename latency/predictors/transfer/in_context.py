"""The in-context transformer as a predictor of new devices: pre-trained once, then adapted by one forward pass."""

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
_CHUNK = 256
"""Nets that are predicted at once."""
_LEAST = 0.02
"""Of the samples' mean: a prediction is not below."""


@dataclass(frozen=True)
class Context:
    """What the transformer keeps of one device."""

    hardware: NDArray[np.float32]
    """HARDWARE x width"""
    totals: NDArray[np.float32]
    """samples x TOTALS x features"""
    y: NDArray[np.float32]
    """samples: latency over their mean."""
    level_ms: float
    """The samples' mean."""


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
            seed: of the weights and of the devices that are drawn.
        """
        table = OperatorTable()
        nets = [merged(graph, table) for graph in graphs]
        vocabulary = MergedVocabulary.learn(nets)
        network = _network(vocabulary, settings, seed)
        with torch_threads(1):
            pretrain(network, vocabulary.encode(nets), DeviceSource.of(nets, measured), settings, seed=seed)
        return InContextTransformer(vocabulary, settings, network.eval())

    def condition(self, graphs: Sequence[OperatorGraph], latency_ms: Matrix) -> tuple[Context, Matrix]:
        """What remains of a device's samples, and what each sample would have been predicted without it (ms)."""
        batch = self.vocabulary.encode(self._merged(graphs))
        count = len(graphs)
        every = np.arange(count)
        rest = np.array([np.delete(every, left) for left in every])
        with torch.no_grad(), torch_threads(1):
            whole = self._contexts(batch, every[None], latency_ms)
            told = self._told(self._contexts(batch, rest, latency_ms), batch, every[:, None])
        return whole.one(0), told[:, 0]

    def predict(self, context: Context, graphs: Sequence[OperatorGraph]) -> Matrix:
        """nets: milliseconds on the device of the context; an empty net has no prediction of its own: its level."""
        result = np.full(len(graphs), context.level_ms)
        places = [place for place, graph in enumerate(graphs) if graph.operators]
        with torch.no_grad(), torch_threads(1):
            for start in range(0, len(places), _CHUNK):
                chosen = places[start : start + _CHUNK]
                batch = self.vocabulary.encode(self._merged([graphs[place] for place in chosen]))
                result[chosen] = self._told(_Contexts.of(context), batch, np.arange(len(batch))[None])[0]
        return result

    def document(self) -> tuple[Document, Arrays]:
        """Its numbers, as JSON and as arrays."""
        weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        return {"vocabulary": self.vocabulary.to_json(), "settings": asdict(self.settings)}, weights

    @staticmethod
    def restored(document: Document, arrays: Arrays) -> InContextTransformer:
        """Reads ``document``; raises what ``StoredPredictor.restore`` may."""
        vocabulary = MergedVocabulary.from_json(document["vocabulary"])
        settings = InContextSettings(**document["settings"])
        network = _network(vocabulary, settings, 0)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        return InContextTransformer(vocabulary, settings, network.eval())

    def _merged(self, graphs: Sequence[OperatorGraph]) -> list[MergedNet]:
        if self._table.full:
            self._table = OperatorTable()
        return [merged(graph, self._table) for graph in graphs]

    def _contexts(self, batch: MergedBatch, known: Indices, latency_ms: Matrix) -> _Contexts:
        """One for each row of ``known`` (devices x samples), all in one pass."""
        level = latency_ms[known].mean(axis=1)
        y = torch.from_numpy((latency_ms[known] / level[:, None]).astype(np.float32))
        nets, _, present = self._nets(batch)
        totals = torch.from_numpy(batch.totals)[known]
        left_out, _ = self.network.bases(totals, y, totals[:, :1])
        return _Contexts(self.network.devices(nets[known], present[known], y, left_out), totals, y, level)

    def _told(self, contexts: _Contexts, batch: MergedBatch, asked: Indices) -> Matrix:
        """``asked`` is contexts x nets of the batch; so is the result (ms)."""
        nets, relations, present = self._nets(batch)
        _, base = self.network.bases(contexts.totals, contexts.y, torch.from_numpy(batch.totals)[asked])
        hardware = contexts.hardware.repeat_interleave(asked.shape[1], dim=0)
        flat = asked.reshape(-1)
        told = self.network.ask(hardware, nets[flat], relations[flat], present[flat], base.flatten(0, 1))
        y: Matrix = told.double().numpy().reshape(asked.shape)
        return np.maximum(y, _LEAST) * contexts.level_ms[:, None]

    def _nets(self, batch: MergedBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Encoded, their relations and presence."""
        relations, present = torch.from_numpy(batch.relations), torch.from_numpy(batch.present).float()
        return self.network.nets(torch.from_numpy(batch.features), relations, present), relations, present


@dataclass(frozen=True)
class _Contexts:
    """Those of several devices, of as many samples each."""

    hardware: Tensor
    totals: Tensor
    y: Tensor
    level_ms: Matrix

    @staticmethod
    def of(context: Context) -> _Contexts:
        hardware, totals, y = (torch.from_numpy(array)[None] for array in (context.hardware, context.totals, context.y))
        return _Contexts(hardware, totals, y, np.array([context.level_ms]))

    def one(self, device: int) -> Context:
        hardware, totals, y = (each[device].numpy().copy() for each in (self.hardware, self.totals, self.y))
        return Context(hardware, totals, y, float(self.level_ms[device]))


def context_document(context: Context) -> tuple[Document, Arrays]:
    """As JSON and as arrays."""
    return {"level_ms": context.level_ms}, {"hardware": context.hardware, "totals": context.totals, "y": context.y}


def restored_context(document: Document, arrays: Arrays) -> Context:
    """Reads ``context_document``; raises what ``StoredPredictor.restore`` may."""
    return Context(arrays["hardware"], arrays["totals"], arrays["y"], float(document["level_ms"]))


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
