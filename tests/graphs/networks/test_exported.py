"""The exported network computes what PyTorch Geometric's layers compute with the same weights."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn

from export.to_onnx import export_module
from graphs.networks.design import ACTIVATIONS, AGGREGATIONS, ATTENTIONS, WITHOUT_HEADS, LayerDesign
from graphs.networks.exported import exported_network
from graphs.networks.network import GraphNetwork
from tests.graphs.small_graph import small_graph

LAYERS = [
    (attention, aggregation, heads)
    for attention, aggregation, heads in itertools.product(ATTENTIONS, AGGREGATIONS, (1, 2))
    if heads == 1 or attention not in WITHOUT_HEADS
]


def features() -> torch.Tensor:
    return torch.from_numpy(small_graph().features)


def trained_network(*designs: LayerDesign) -> GraphNetwork:
    from graphs.networks.geometric import geometric_network  # takes a second

    return geometric_network(small_graph(), designs, dropout=0.5)


def both(*designs: LayerDesign) -> tuple[GraphNetwork, GraphNetwork]:
    """As it is trained and as it is exported, with the same random weights."""
    trained = trained_network(*designs).eval()
    random = torch.Generator().manual_seed(0)
    for parameter in trained.parameters():
        nn.init.normal_(parameter, generator=random)
    exported = exported_network(small_graph(), designs).eval()
    exported.load_state_dict(trained.state_dict())
    return trained, exported


@pytest.mark.parametrize(("attention", "aggregation", "heads"), LAYERS)
def test_layers_are_equal(attention: str, aggregation: str, heads: int) -> None:
    first = LayerDesign(attention, aggregation, heads, width=4, activation="elu")
    second = LayerDesign(attention, aggregation, heads, width=3, concatenated=False)
    trained, exported = both(first, second)
    with torch.no_grad():
        expected = trained(features())
        torch.testing.assert_close(exported(features()), expected, rtol=1e-4, atol=1e-5)
    assert expected.shape == (60, 3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_differ_and_run_in_onnx_runtime(activation: str, tmp_path: Path) -> None:
    _, linear = both(LayerDesign("gat", "mean", 2, 4))
    trained, exported = both(LayerDesign("gat", "mean", 2, 4, activation))
    path = export_module(exported, tmp_path / "net.onnx", {"features": features()})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"features": features().numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(found), trained(features()), rtol=1e-4, atol=1e-5)
        assert torch.equal(linear(features()), exported(features())) == (activation == "linear")


def test_gcn_and_gat_are_those_of_geometric() -> None:
    from torch_geometric.nn import GATConv, GCNConv

    graph = small_graph()
    edge_index = torch.from_numpy(graph.edges.T)
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    _, gcn = both(LayerDesign("gcn", "sum", 1, 5))
    _, gat = both(LayerDesign("gat", "sum", 2, 5))
    with torch.no_grad():
        theirs = GCNConv(24, 5)
        weights = gcn.layers[0].weights
        theirs.lin.weight.copy_(weights.linear.weight)
        theirs.bias.copy_(weights.bias)
        torch.testing.assert_close(gcn(features()), theirs(features(), edge_index), rtol=1e-4, atol=1e-5)
        theirs = GATConv(24, 5, heads=2)
        weights = gat.layers[0].weights
        theirs.lin.weight.copy_(weights.linear.weight)
        theirs.bias.copy_(weights.bias)
        theirs.att_src.copy_(weights.attention.sender)
        theirs.att_dst.copy_(weights.attention.receiver)
        torch.testing.assert_close(gat(features()), theirs(features(), edge_index), rtol=1e-4, atol=1e-5)


def test_scores_far_apart_stay_finite() -> None:
    _, exported = both(LayerDesign("cos", "sum", 1, 4))
    with torch.no_grad():
        assert torch.isfinite(exported(1000 * features())).all()


def test_dropout_is_for_training_alone() -> None:
    design = LayerDesign("gat", "sum", 2, 4)
    trained, _ = both(design)
    with torch.no_grad():
        assert torch.equal(trained(features()), trained(features()))
        trained.train()
        assert not torch.equal(trained(features()), trained(features()))


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trained_network(LayerDesign("gcn", "sum", 1, 4))
    assert tempfile.gettempdir() == str(tmp_path)
    assert not list(tmp_path.rglob("*.py"))


def test_sparse_features_give_what_dense_ones_give() -> None:
    trained, exported = both(LayerDesign("gcn", "sum", 1, 4))
    with torch.no_grad():
        torch.testing.assert_close(trained(features().to_sparse()), exported(features()), rtol=1e-4, atol=1e-5)
        trained.train()
        trained.dropout = 1.0
        assert torch.equal(trained(features().to_sparse()), trained(torch.zeros(60, 24)))
