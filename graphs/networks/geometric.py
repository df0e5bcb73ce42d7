"""The network as it is trained: layers of PyTorch Geometric. Importing this module loads torch and torch_geometric."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from foundation.temporary_folder import TemporaryFolder
from graphs.data.graph import Graph
from graphs.networks.design import LayerDesign
from graphs.networks.layer_weights import LayerWeights
from graphs.networks.network import GraphNetwork, input_widths

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*torch.jit.script")
    from torch_geometric.nn import MessagePassing
    from torch_geometric.nn.conv.gcn_conv import gcn_norm
    from torch_geometric.utils import softmax


def geometric_network(graph: Graph, designs: Sequence[LayerDesign], *, dropout: float) -> GraphNetwork:
    """The network with fresh weights; their names are those of ``exported.exported_network``.

    Args:
        graph: on which it works.
        designs: of its layers.
        dropout: share of the layers' inputs and of the attention weights that are zero while it is trained.
    """
    edge_index = torch.stack([torch.from_numpy(each) for each in graph.messages])
    weights = [LayerWeights(*each) for each in zip(input_widths(graph.size.features, designs), designs, strict=True)]
    with _nothing_left_behind():
        layers = [GeometricLayer(each, edge_index, dropout) for each in weights]
    return GraphNetwork(layers, designs, dropout)


class GeometricLayer(MessagePassing):  # type: ignore[misc]
    """A layer of GraphNAS (Gao et al., IJCAI 2020, section 3.1).

    Args:
        weights: of the layer.
        edge_index: 2 x messages: senders and receivers; each node sends to itself, too.
        dropout: share of the attention weights that are zero while it is trained.
    """

    def __init__(self, weights: LayerWeights, edge_index: Tensor, dropout: float) -> None:
        super().__init__(aggr=weights.design.aggregation, node_dim=0)
        self.weights, self.dropout = weights, dropout
        self.edge_index: Tensor
        self.register_buffer("edge_index", edge_index, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """From nodes x inputs to nodes x outputs."""
        values = self.weights.values(features)
        shares = functional.dropout(self._shares(values), self.dropout, self.training)
        aggregated: Tensor = self.propagate(self.edge_index, values=values, shares=shares)
        return self.weights.output(aggregated)

    def message(self, values_j: Tensor, shares: Tensor) -> Tensor:
        """Messages x heads x width."""
        return values_j * shares.unsqueeze(-1)

    def _shares(self, values: Tensor) -> Tensor:
        """How much of each message arrives: messages x heads."""
        senders, receivers = self.edge_index
        attention = self.weights.attention
        if attention is not None:
            scores = attention(
                values, lambda rows: rows.index_select(0, receivers), lambda rows: rows.index_select(0, senders)
            )
            learned: Tensor = softmax(scores, receivers, num_nodes=len(values))
            return learned
        if self.weights.design.attention == "gcn":
            normalised: Tensor = gcn_norm(self.edge_index, num_nodes=len(values), add_self_loops=False)[1]
            return normalised.unsqueeze(-1)
        return values.new_ones(len(senders), 1)


@contextmanager
def _nothing_left_behind() -> Iterator[None]:
    """Removes the modules that ``MessagePassing`` writes into the folder for temporary files when it loads them."""
    before = tempfile.tempdir
    with TemporaryFolder() as folder:
        tempfile.tempdir = str(folder.path)
        try:
            yield
        finally:
            tempfile.tempdir = before
