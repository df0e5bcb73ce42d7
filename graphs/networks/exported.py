"""The network as it is exported: plain torch, of operators that every runtime has. Importing this module loads torch.

The graph is a constant of the network; its input are the features of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from graphs.data.graph import Graph
from graphs.networks.design import LayerDesign
from graphs.networks.halving_tree import HalvingTree
from graphs.networks.layer_weights import LayerWeights
from graphs.networks.network import GraphNetwork, input_widths

SPREAD = 60.0
"""Scores of a head that are further below its largest count as this far: their share is below 1e-26."""


def exported_network(graph: Graph, designs: Sequence[LayerDesign]) -> GraphNetwork:
    """The network with fresh weights.

    Args:
        graph: on which it works.
        designs: of its layers.
    """
    messages = Messages(graph)
    inputs = input_widths(graph.size.features, designs)
    layers = [ExportedLayer(LayerWeights(*each), messages) for each in zip(inputs, designs, strict=True)]
    return GraphNetwork(layers, designs)


class Messages(nn.Module):
    """Who sends to whom, as buffers."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        senders, receivers = graph.messages
        counts = np.bincount(receivers, minlength=graph.size.nodes)
        self.tree = HalvingTree(receivers, graph.size)
        self.senders: Tensor
        self.receivers: Tensor
        self.counts: Tensor
        """Messages that each node receives: nodes x 1."""
        self.normalised: Tensor
        """1 / sqrt(messages to the sender x messages to the receiver): messages x 1 (Kipf & Welling, equation 2)."""
        self._keep("senders", senders)
        self._keep("receivers", receivers)
        self._keep("counts", counts.astype(np.float32)[:, None])
        self._keep("normalised", ((counts[senders] * counts[receivers]) ** -0.5).astype(np.float32)[:, None])

    def _keep(self, name: str, array: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def of_senders(self, rows: Tensor) -> Tensor:
        """From nodes x ... to messages x ..."""
        return rows.index_select(0, self.senders)

    def of_receivers(self, rows: Tensor) -> Tensor:
        """From nodes x ... to messages x ..."""
        return rows.index_select(0, self.receivers)


class ExportedLayer(nn.Module):
    """A layer that computes what ``geometric.GeometricLayer`` does with the same weights.

    The softmax of the attention is divided by its sum after the aggregation; scores are shifted by their largest over
    all messages instead of that of each receiver.
    """

    def __init__(self, weights: LayerWeights, messages: Messages) -> None:
        super().__init__()
        self.weights, self.messages = weights, messages

    def forward(self, features: Tensor) -> Tensor:
        """From nodes x inputs to nodes x outputs."""
        values = self.weights.values(features)
        if self.weights.attention is None:
            return self.weights.output(self._fixed(values))
        scores = self.weights.attention(values, self.messages.of_receivers, self.messages.of_senders)
        return self.weights.output(self._attended(values, scores))

    def _fixed(self, values: Tensor) -> Tensor:
        """Aggregated by attention that is not learned: nodes x heads x width."""
        design, tree = self.weights.design, self.messages.tree
        factors = self.messages.normalised if design.attention == "gcn" else None
        sent = self.messages.of_senders(values)
        if design.aggregation == "max":
            return tree.max(sent if factors is None else sent * factors.unsqueeze(-1))
        sent = sent * (tree.halves if factors is None else tree.halves * factors).unsqueeze(-1)
        return tree.sum(sent) / self.messages.counts.unsqueeze(-1) if design.aggregation == "mean" else tree.sum(sent)

    def _attended(self, values: Tensor, scores: Tensor) -> Tensor:
        """Aggregated by learned attention: nodes x heads x width."""
        design, tree = self.weights.design, self.messages.tree
        shares = torch.clamp(scores - scores.amax(0, keepdim=True), min=-SPREAD).exp()
        halved = shares * tree.halves
        totals = tree.sum(halved)
        sent = self.messages.of_senders(values)
        if design.aggregation == "max":
            return tree.max(sent * shares.unsqueeze(-1)) / totals.unsqueeze(-1)
        if design.aggregation == "mean":
            totals = totals * self.messages.counts
        return tree.sum(sent * halved.unsqueeze(-1)) / totals.unsqueeze(-1)
