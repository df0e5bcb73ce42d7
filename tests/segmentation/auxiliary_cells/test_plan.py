"""Nets of the published space: counts by its rules, and what their cells compute."""

from __future__ import annotations

import csv
from random import Random

import pytest
import torch
from torch import Tensor, nn

from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.auxiliary_cells.encoder import ENCODERS, encoder_features
from segmentation.auxiliary_cells.genotype import Cell, Connection, Genotype
from segmentation.auxiliary_cells.operations import OPERATIONS, SKIP, ZERO
from segmentation.auxiliary_cells.plan import plan
from segmentation.networks.classifier import classifier_plan
from segmentation.networks.network import Network
from segmentation.networks.plan import Plan
from segmentation.networks.plan_builder import PlanBuilder
from tests.shared_cases import shared_data

NOTHING = (0, 0, ZERO, ZERO)
ONE_FEATURE: tuple[Connection, ...] = ((0, 0), (0, 4), (0, 5))
OF_OPERATION = (
    48 * 48 + 96,
    9 * 48 * 48 + 96,
    9 * 48 + 48 * 48 + 96,
    25 * 48 + 48 * 48 + 96,
    48 * 48 + 96,
    9 * 48 * 48 + 96,
    9 * 48 * 48 + 96,
    9 * 48 + 48 * 48 + 96,
    25 * 48 + 48 * 48 + 96,
    0,
    0,
)
"""Weights, scale and shift of 48 channels; a convolution has no bias, a separable one is normalised once."""
TAPS = (24 + 32 + 96 + 320) * 48 + 4 * 96
SIDES = 6 * (48 * 48 + 96)
HEAD = 48 * 48 + 96 + 9 * 48 * 17 + 17


def of_first(operation: int, connections: tuple[Connection, ...] = ONE_FEATURE) -> Genotype:
    return Genotype(Cell(operation, (NOTHING, NOTHING, NOTHING)), connections)


def random_cell(rng: Random) -> Cell:
    entries = [
        (rng.randrange(3 * entry - 1), rng.randrange(3 * entry - 1), rng.randrange(11), rng.randrange(11))
        for entry in (1, 2, 3)
    ]
    return Cell(rng.randrange(11), tuple(entries))


@pytest.mark.parametrize(("name", "count", "widths"), [
    ("full", 1_812_800, (24, 32, 96, 320)),
    ("small", 179_848, (8, 11, 33, 56)),
])  # fmt: skip
def test_encoders(name: str, count: int, widths: tuple[int, ...]) -> None:
    builder = PlanBuilder()
    features = encoder_features(builder, name)
    assert builder.plan().parameters() == count
    assert tuple(builder.channels[feature] for feature in features) == widths
    sizes = builder.plan().sizes(64, 96)
    assert [sizes[feature] for feature in features] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert set(ENCODERS) == {"full", "small"}


@pytest.mark.parametrize("operation", range(len(OPERATIONS) - 1))
def test_every_operation_is_counted_in_six_cells(operation: int) -> None:
    counted = plan(of_first(operation), 17).parameters(prefix="decoder")
    assert counted == TAPS + SIDES + HEAD + 6 * OF_OPERATION[operation]


def test_every_output_that_no_connection_reads_is_collected() -> None:
    apart = plan(of_first(SKIP, ((0, 1), (1, 2), (2, 3))), 17)
    assert apart.parameters() == 1_812_800 + TAPS + SIDES + HEAD + 2 * 48 * 48
    assert plan(of_first(SKIP, ((0, 1), (4, 2), (2, 3))), 17).parameters() == apart.parameters() - 48 * 48


def test_fewer_channels_and_the_small_encoder() -> None:
    found = plan(of_first(0), 2, encoder="small", channels=10)
    taps = (8 + 11 + 33 + 56) * 10 + 4 * 20
    assert found.parameters() == 179_848 + taps + 13 * (10 * 10 + 20) + 9 * 10 * 2 + 2


@pytest.mark.parametrize(("cell", "operations"), [
    # Node 1 is read by a zero only: its operation has weights and no effect.
    (Cell(1, ((1, 0, ZERO, 0), NOTHING, NOTHING)), (1, 0)),
    # An operation on zeros.
    (Cell(SKIP, ((0, 0, ZERO, ZERO), (2, 0, 5, 3), NOTHING)), (5, 3)),
])  # fmt: skip
def test_weights_without_effect_are_counted_and_not_run(cell: Cell, operations: tuple[int, ...]) -> None:
    found = plan(Genotype(cell, ((3, 3), (3, 4), (3, 5))), 17)
    assert found.parameters(prefix="decoder") == TAPS + SIDES + HEAD + 6 * sum(OF_OPERATION[one] for one in operations)
    unread = {layer.name.rpartition(".")[2] for layer in found.unread if ".unread" in layer.name}
    assert OPERATIONS[operations[0]].name in unread
    assert OPERATIONS[operations[1]].name not in unread


def test_the_part_of_the_encoder_that_nothing_reads_is_not_run() -> None:
    fine, coarse = (plan(of_first(0, ((tap, tap), (tap, 4), (tap, 5)))) for tap in (0, 3))
    assert fine.parameters() == coarse.parameters()
    assert fine.encoder == "encoder.row2.block2.residual"
    assert not any(layer.name.startswith("encoder.row3") for layer in fine.layers)
    classifier = Network(classifier_plan(fine, 7))
    assert classifier(torch.zeros(2, 3, 64, 64)).shape == (2, 7, 1, 1)
    assert {layer.name for layer in coarse.unread} == {"decoder.tap0", "decoder.tap1", "decoder.tap2"}


def test_published_counts() -> None:
    with shared_data("portrait_search_log/exact_parameters.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    for row in rows:
        genotype = Genotype.parse(row["genotype"])
        assert str(genotype) == row["genotype"]
        assert plan(genotype, 17).parameters() == int(row["params"])


def test_the_logged_counts_differ_by_one_encoder() -> None:
    with shared_data("portrait_search_log/candidates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200
    rest = [
        1e6 * float(row["params_millions"]) - plan(Genotype.parse(row["genotype"]), 17).parameters(prefix="decoder")
        for row in rows
    ]
    assert max(rest) - min(rest) <= 10_000, "each is rounded to 10,000"


def literally(cell: Cell, x: Tensor, network: Network, name: str) -> Tensor:
    """The cell as it is defined, node by node, with the network's weights."""
    nodes = [x]

    def add(operation: int, node: int) -> None:
        source = nodes[node]
        if operation == ZERO:
            nodes.append(0 * source)
        elif operation == SKIP or not source.abs().max():
            nodes.append(source)
        else:
            nodes.append(operated(operation, source, network, f"{name}.node{len(nodes)}"))

    add(cell.first, 0)
    read: set[int] = set()
    for entry in cell.entries:
        read.update(entry[:2])
        for node, operation in zip(entry[:2], entry[2:], strict=True):
            add(operation, node)
        nodes.append(nodes[-2] + nodes[-1])
    return sum((nodes[node] for node in (1, 4, 7, 10) if node not in read), torch.zeros(()))


def operated(number: int, x: Tensor, network: Network, name: str) -> Tensor:
    operation = OPERATIONS[number]
    layers: dict[str, nn.Module] = {
        layer.name: module for layer, module in zip(network.plan.layers, network.layers, strict=True)
    }
    name = f"{name}.{operation.name}"
    if name not in layers and f"{name}.conv" not in layers:
        return torch.randn_like(x)  # it must not matter
    if operation.pooled:
        small: Tensor = layers[f"{name}.conv"](x.mean((2, 3), keepdim=True))
        return small.expand_as(x)
    inner: Tensor = layers[f"{name}.depthwise"](x) if operation.separable else x
    y: Tensor = layers[name](inner)
    return y


@pytest.mark.parametrize("seed", range(12))
def test_cells_compute_what_they_say(seed: int) -> None:
    rng = Random(seed)
    cell = random_cell(rng)
    while not cell_graph(cell).output:
        cell = random_cell(rng)
    torch.manual_seed(seed)
    network = Network(plan(Genotype(cell, ONE_FEATURE), encoder="small", channels=6)).eval()
    seen: dict[str, Tensor] = {}
    for layer in ("decoder.tap0", "decoder.connection1.first.project"):
        network.layer(layer).register_forward_hook(
            lambda _module, inputs, output, layer=layer: seen.update({f"{layer}.in": inputs[0], layer: output})
        )
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
        wanted = literally(cell, seen["decoder.tap0"], network, "decoder.connection1.first")
    torch.testing.assert_close(seen["decoder.connection1.first.project.in"], wanted)


def layer_settings(found: Plan, name: str) -> tuple[int, int, bool, bool, bool]:
    layer = next(layer for layer in found.layers if layer.name == name)
    return layer.kernel, layer.dilation, layer.depthwise, layer.normalise, layer.bias


def test_kernels_dilations_and_normalisation() -> None:
    cell = Cell(6, ((0, 0, 5, 8), (0, 0, 7, 3), NOTHING))
    found = plan(Genotype(cell, ONE_FEATURE))
    name = "decoder.connection1.first"
    assert layer_settings(found, f"{name}.node1.conv3x3-dilation12") == (3, 12, False, True, True)
    assert layer_settings(found, f"{name}.node2.conv3x3-dilation3") == (3, 3, False, True, True)
    assert layer_settings(found, f"{name}.node3.separable5x5-dilation6.depthwise") == (5, 6, True, False, False)
    assert layer_settings(found, f"{name}.node3.separable5x5-dilation6") == (1, 1, False, True, True)
    assert layer_settings(found, f"{name}.node5.separable3x3-dilation3.depthwise") == (3, 3, True, False, False)
    assert layer_settings(found, f"{name}.node6.separable5x5.depthwise") == (5, 1, True, False, False)
    activations = {layer.activation for layer in found.layers if ".node" in layer.name and layer.out_channels}
    assert activations == {"relu", "none"}
    assert {layer.activation for layer in found.layers if layer.name.startswith("encoder")} == {"relu6", "none"}


def test_maps_are_enlarged_where_they_meet() -> None:
    found = plan(of_first(SKIP, ((0, 2), (1, 3), (3, 3))), 5)
    sizes = found.sizes(128, 160)
    assert sizes["decoder.connection1"] == (32, 40)
    assert sizes["decoder.connection2"] == (16, 20)
    assert sizes["decoder.connection3"] == (4, 5)
    assert sizes["decoder.collect"] == (32, 40)
    assert sizes["decoder.logits"] == (128, 160)
    assert found.channels()["decoder.concat"] == 3 * 48
    assert found.classes == 5
