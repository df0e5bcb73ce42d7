"""Nets of the published space: counts by its rules, and what their layers compute."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.networks.network import Network
from segmentation.templates.genotype import FEATURES, LAYERS, STRIDED, Genotype, Layer, Template, layer_choices
from segmentation.templates.operations import MAXIMUM, OPERATIONS, POOLED, SKIP
from segmentation.templates.plan import plan

NOTHING = Template(SKIP, SKIP, 0)
PUBLISHED = (
    "[[[3, 0, 1], [4, 1, 1], [3, 1, 1]], [[0, 1, 0, 0, 1], [2, 1, 2, 1, 0], [3, 1, 1, 1, 0], [1, 1, 2, 0, 0], "
    "[3, 0, 2, 0, 0], [5, 3, 2, 1, 0], [0, 5, 0, 1, 0]]]",
    "[[[1, 1, 0], [1, 3, 0], [3, 4, 0]], [[1, 1, 0, 0, 0], [0, 1, 1, 1, 1], [3, 1, 2, 3, 0], [3, 0, 2, 2, 0], "
    "[0, 1, 2, 0, 0], [2, 1, 1, 3, 0], [4, 0, 2, 2, 0]]]",
)
ENCODER = 56_576
"""Parameters of the first three rows."""
HEAD = 32 * 64 + 2 * 64 + 9 * 64 * 17 + 17
"""Of one output with 32 channels, for 17 classes."""
OF_SKIP = 2 * 2 * 32
"""A chain's layer without operations: a factor for each channel of both inputs."""


def chain(template: Template, first: Layer) -> Genotype:
    """One layer of the template on the encoder's last feature, and six without operations behind it."""
    others = (Layer(entry, entry, 1, 0, 0) for entry in range(FEATURES, FEATURES + LAYERS - 1))
    return Genotype((template, NOTHING, NOTHING), (first, *others))


@pytest.mark.parametrize(("text", "count"), [(PUBLISHED[0], 280_147), (PUBLISHED[1], 268_235)])
def test_published_counts(text: str, count: int) -> None:
    """Those of the published nets with 19 classes, as their authors give them."""
    assert plan(Genotype.parse(text), 19).parameters() == count


@pytest.mark.parametrize(("operation", "count"), [
    (0, 2 * (9 * 32 + 32 * 32 + 64)),
    (1, 2 * (25 * 32 + 32 * 32 + 64)),
    (2, 32 * 32 + 64),
    (3, 32 * 32 + 64),
    (4, 2 * (25 * 32 + 32 * 32 + 64)),
    (5, 0),
])  # fmt: skip
def test_every_operation_is_counted(operation: int, count: int) -> None:
    found = plan(chain(Template(operation, SKIP, 0), Layer(1, 1, 0, 0, 0)), 17)
    assert found.parameters() == ENCODER + 7 * OF_SKIP // 2 + HEAD + count


def test_a_concatenation_is_counted_as_published() -> None:
    found = plan(chain(Template(SKIP, SKIP, 1), Layer(1, 1, 0, 0, 0)), 17)
    assert found.parameters() == ENCODER + 6 * OF_SKIP // 2 + HEAD + 2 * (2 * 32) + 64 * 32


def test_inputs_of_other_channels_are_adapted() -> None:
    found = plan(chain(NOTHING, Layer(0, 1, 0, 0, 0)), 17)
    assert found.parameters() == ENCODER + 7 * OF_SKIP // 2 + HEAD + 24 * 32 + 2 * 32


def test_the_row_of_the_encoder_that_nothing_reads_is_not_run() -> None:
    fine, coarse = (plan(chain(NOTHING, Layer(entry, entry, 0, 0, 0))) for entry in (0, 1))
    assert fine.unread
    assert not coarse.unread
    assert fine.encoder.startswith("encoder.row2")
    assert fine.sizes(64, 96)[fine.layers[-1].name] == coarse.sizes(64, 96)[coarse.layers[-1].name] == (64, 96)


def modules(network: Network) -> dict[str, nn.Module]:
    return {layer.name: module for layer, module in zip(network.plan.layers, network.layers, strict=True)}


def operated(x: Tensor, operation: int, stride: int, wider: int, found: dict[str, nn.Module], name: str) -> Tensor:
    name = f"{name}.{OPERATIONS[operation].name}"
    if operation == SKIP:
        return x.repeat(1, wider, 1, 1)
    if operation == POOLED:
        mean: Tensor = found[f"{name}.conv"](x.mean((2, 3), keepdim=True))
        return mean.expand(-1, -1, *x.shape[2:])
    if operation == MAXIMUM:
        return functional.max_pool2d(found[f"{name}.conv"](x), 3, stride, 1)
    for turn in (1, 2):
        depthwise = found[f"{name}.depthwise{turn}"]
        assert isinstance(depthwise, nn.Sequential)
        assert isinstance(depthwise[0], nn.Conv2d)
        assert depthwise[0].stride == (stride, stride)
        x = found[f"{name}.pointwise{turn}"](depthwise(x))
    assert x.shape[1] % wider == 0
    return x


def convolution(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Sequential)
    assert isinstance(module[0], nn.Conv2d)
    return module[0]


def aggregated(x: Tensor, y: Tensor, number: int, *, larger: bool, found: dict[str, nn.Module], name: str) -> Tensor:
    channels = max(x.shape[1], y.shape[1])
    x, y = (
        z if z.shape[1] == channels else found[f"{name}.{side}.adapt"](z) for z, side in ((x, "first"), (y, "second"))
    )
    size = (max if larger else min)(x.shape[2:], y.shape[2:])
    x, y = (functional.interpolate(z, size, mode="bilinear", align_corners=False) for z in (x, y))
    sides = [f"{name}.first", f"{name}.second"]
    if number == 0:
        a, b = (convolution(found[f"{side}.scale"]).weight.flatten()[:, None, None] for side in sides)
        return a * x + b * y
    shifts = [convolution(found[f"{side}.shift"]) for side in sides]
    scale = torch.cat([shift.weight.flatten() for shift in shifts])[:, None, None]
    offset = torch.cat([shift.bias for shift in shifts if shift.bias is not None])[:, None, None]
    weight = torch.cat([convolution(found[f"{side}.project"]).weight for side in sides], dim=1)
    return functional.conv2d(functional.relu(scale * torch.cat([x, y], dim=1) + offset), weight)


def literally(genotype: Genotype, features: list[Tensor], found: dict[str, nn.Module]) -> Tensor:
    """The logits before they are enlarged, layer by layer as the space is defined."""
    pool = list(features)
    for number, layer in enumerate(genotype.layers, start=1):
        template, stride = genotype.templates[layer.template], 2**layer.strided
        first, second = pool[layer.first], pool[layer.second]
        for repeat in range(1, layer.further + 2):
            name, wider = f"decoder.layer{number}.repeat{repeat}", stride if repeat == 1 else 1
            x = operated(first, template.first, stride, wider, found, f"{name}.first")
            y = operated(second, template.second, stride, wider, found, f"{name}.second")
            larger = number > STRIDED
            first, second = second, aggregated(x, y, template.aggregation, larger=larger, found=found, name=name)
        pool.append(second)
    read = {entry for layer in genotype.layers for entry in layer[:2]}
    outputs = [pool[entry] for entry in range(FEATURES, len(pool)) if entry not in read]
    size = max(output.shape[2:] for output in outputs)
    same = [functional.interpolate(output, size, mode="bilinear", align_corners=False) for output in outputs]
    logits: Tensor = found["decoder.classes"](found["decoder.collect"](torch.cat(same, dim=1)))
    return logits


def of_random_numbers(rng: Random) -> Genotype:
    templates = tuple(Template(rng.randrange(6), rng.randrange(6), rng.randrange(2)) for _ in range(3))
    layers = tuple(Layer(*(rng.randrange(count) for count in layer_choices(number))) for number in range(1, LAYERS + 1))
    return Genotype(templates, layers)


@pytest.mark.parametrize("seed", range(8))
def test_layers_compute_what_they_say(seed: int) -> None:
    torch.manual_seed(seed)
    genotype = of_random_numbers(Random(seed))
    network = Network(plan(genotype, 3, encoder="small", channels=6)).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    found, seen = modules(network), {}
    residuals = [name for name in found if name.startswith("encoder.") and name.endswith("residual")]
    rows = [[name for name in residuals if name.startswith(f"encoder.row{row}")] for row in (2, 3)]
    for name in ("decoder.classes", *(row[-1] for row in rows if row)):
        found[name].register_forward_hook(lambda _module, _inputs, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 96, 64))
        features = [seen[row[-1]] if row else torch.zeros(()) for row in rows]
        wanted = literally(genotype, features, found)
    assert logits.shape == (1, 3, 96, 64)
    largest = float(wanted.abs().max())
    torch.testing.assert_close(seen["decoder.classes"] / largest, wanted / largest, rtol=0, atol=1e-4)
