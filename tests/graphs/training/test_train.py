"""Trainings learn, stop in time, continue where they were interrupted, and are not mixed up."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foundation.errors import UserError
from foundation.progress import Progress
from graphs.data.registry import open_graph
from graphs.networks.design import LayerDesign
from graphs.training.recipe import Recipe
from graphs.training.train import Training, accuracy
from tests.graphs.small_graph import GRAPH, small_graph

GCN = (LayerDesign("gcn", "sum", 1, 8, "relu"), LayerDesign("gcn", "sum", 1, 3, concatenated=False))
GAT = (LayerDesign("gat", "sum", 2, 4, "elu"), LayerDesign("gat", "sum", 1, 3, concatenated=False))
TRAINING = Training(small_graph(), GCN, Recipe(learning_rate=0.05, dropout=0.2), seed=0)


def test_it_learns_the_classes_of_nodes_that_it_was_not_told(tmp_path: Path) -> None:
    graph = open_graph("block-model:nodes=200,edges=800,degree=20,features=60,classes=4,within=0.95,topical=0.6")
    design = (GCN[0], replace(GCN[1], width=4))
    network, _ = Training(graph, design, TRAINING.recipe, seed=0).run(60, tmp_path / "net.safetensors")
    found, nodes = accuracy(network, graph, "test")
    assert nodes == len(graph.test)
    assert found > 0.9
    assert accuracy(network, graph, "train", limit=3)[1] == 3


@pytest.mark.parametrize("designs", [GCN, GAT])
def test_an_interrupted_training_ends_as_if_it_had_not_been(designs: tuple[LayerDesign, ...], tmp_path: Path) -> None:
    training, parts = replace(TRAINING, designs=designs), tmp_path / "parts.safetensors"
    whole, _ = training.run(12, tmp_path / "whole.safetensors")

    def stop(moment: Progress) -> None:
        if moment.done in (5, 9):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            training.run(12, parts, stop)
        with pytest.raises(UserError, match="not finished"):
            training.load(parts)
    continued, epochs = training.run(12, parts)
    assert epochs == 12
    for name, value in whole.state_dict().items():
        assert torch.equal(continued.state_dict()[name], value), name
    assert not continued.training


def test_a_killed_training_loses_a_hundredth_at_most(tmp_path: Path) -> None:
    path, done = tmp_path / "net.safetensors", []

    class Killed(BaseException):
        pass

    def kill(moment: Progress) -> None:
        if moment.done == 7:
            raise Killed

    with pytest.raises(Killed):
        TRAINING.run(300, path, kill)
    with pytest.raises(Killed):
        TRAINING.run(300, path, lambda moment: (done.append(moment.done), kill(moment)))
    assert done == [7]


def test_it_ends_where_nothing_becomes_better(tmp_path: Path) -> None:
    moments: list[Progress] = []
    recipe = replace(TRAINING.recipe, learning_rate=0.0, patience=4)
    still = replace(TRAINING, recipe=recipe, designs=(replace(GCN[0], attention="const"), GCN[1]))
    still.run(50, tmp_path / "still.safetensors", moments.append)
    # Without learning every epoch is as good as the best.
    assert len(moments) == 50
    moments.clear()
    wild = replace(TRAINING, recipe=replace(recipe, learning_rate=30.0))
    _, epochs = wild.run(50, tmp_path / "wild.safetensors", moments.append)
    assert len(moments) == epochs < 50
    assert wild.run(50, tmp_path / "wild.safetensors")[1] == epochs, "as it stands in the checkpoint"
    assert (moments[-1].done, moments[-1].total) == (50, 50)


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    training = replace(TRAINING, recipe=replace(TRAINING.recipe, learning_rate=0.5, patience=40))
    short, long = (training.run(epochs, tmp_path / f"{epochs}.safetensors")[0] for epochs in (10, 40))
    found = [accuracy(network, training.graph, "validation")[0] for network in (short, long)]
    assert found[1] >= found[0]


def test_random_numbers_of_others_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    TRAINING.run(2, tmp_path / "net.safetensors")
    assert torch.equal(torch.rand(3), expected)


def test_the_seed_decides(tmp_path: Path) -> None:
    networks = [replace(TRAINING, seed=seed).run(1, tmp_path / f"{seed}.safetensors")[0] for seed in (0, 1)]
    assert not torch.equal(*(network.layers[0].weights.linear.weight for network in networks))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (replace(TRAINING, designs=GAT), "layers of the checkpoint"),
        (replace(TRAINING, seed=1), "seed of the checkpoint"),
        (replace(TRAINING, recipe=Recipe()), "recipe of the checkpoint"),
        (replace(TRAINING, graph=open_graph(GRAPH, seed=1)), "graph of the checkpoint"),
    ],
)
def test_checkpoints_of_other_trainings_are_refused(other: Training, what: str, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    TRAINING.run(1, path)
    for use in (lambda: other.run(1, path), lambda: other.load(path)):
        with pytest.raises(UserError, match=what):
            use()
    with pytest.raises(UserError, match="epochs of the checkpoint"):
        TRAINING.run(2, path)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(UserError, match="checkpoint"):
        TRAINING.load(path)
    TRAINING.run(1, path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        TRAINING.run(1, path)


def test_without_geometric_there_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "graphs.networks.geometric", raising=False)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(UserError, match=r'pip install "latseg\[graphs\]"'):
        TRAINING.run(1, tmp_path / "net.safetensors")
