from __future__ import annotations

from itertools import product
from random import Random

import pytest
import torch

from segmentation.networks.initial_weights import initialise
from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT, Layer, Plan
from segmentation.portrait import plan as portrait
from segmentation.portrait.slots import CHOICES, UPSAMPLINGS, canonical
from segmentation.supernet.extents import extents, layouts
from segmentation.supernet.supernet import Supernet, recalibrate


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(0)
    return Supernet(3)


def random_plans(count: int, classes: int = 3) -> list[Plan]:
    rng = Random(2)
    draws = ({name: rng.randrange(choices) for name, choices in CHOICES.items()} for _ in range(count))
    return [portrait.plan(canonical(draw), classes) for draw in draws]


def small(width: int, kernel: int, *, beside: int = 0) -> Plan:
    """A stem, optionally a second branch beside it, a depthwise layer over both and the classes."""
    layers = [Layer("stem", "conv", (INPUT,), width, 3, activation="relu")]
    if beside:
        layers.append(Layer("branch", "conv", (INPUT,), beside, 1))
        layers.append(Layer("both", "concat", ("stem", "branch")))
    last = layers[-1].name
    layers.append(Layer("deep", "conv", (last,), width + beside, kernel, depthwise=True))
    layers.append(Layer("classes", "conv", ("deep",), 2, normalise=False))
    return Plan(tuple(layers))


def test_every_net_of_the_space_fits_in() -> None:
    largest = Supernet(3).extents
    for plan in random_plans(400):
        for name, needed in extents([plan]).items():
            shared = largest[name]
            assert needed.kernel <= shared.kernel
            assert needed.out_channels <= shared.out_channels
            assert all(channels <= shared.inputs[segment] for segment, channels in needed.inputs.items())


def test_a_net_in_the_supernet_is_the_net_taken_out(supernet: Supernet) -> None:
    for plan in random_plans(8):
        images = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            torch.testing.assert_close(supernet.extract(plan).train()(images), supernet(images, plan))


def test_weights_are_the_first_channels_and_the_middle_of_the_kernel() -> None:
    supernet = Supernet(2, [small(8, 5)])
    network = supernet.extract(small(4, 3))
    shared = supernet.shared
    stem, deep = network.layer("stem"), network.layer("deep")
    assert torch.equal(stem[0].weight, shared["stem:weight:main"][:4])  # type: ignore[index]
    assert torch.equal(deep[0].weight, shared["deep:weight:main"][:4, :, 1:4, 1:4])  # type: ignore[index]


def test_each_part_of_a_concatenation_keeps_its_own_weights() -> None:
    supernet = Supernet(2, [small(8, 3, beside=6)])
    wide, narrow = (supernet.extract(small(width, 3, beside=4)) for width in (8, 5))
    # The weights for the branch do not move when the stem gets narrower.
    for layer, axis in (("deep", 0), ("classes", 1)):
        first, second = wide.layer(layer)[0].weight, narrow.layer(layer)[0].weight  # type: ignore[index]
        assert torch.equal(first.narrow(axis, 8, 4), second.narrow(axis, 5, 4))
        assert torch.equal(first.narrow(axis, 0, 5), second.narrow(axis, 0, 5))
    assert layouts(small(5, 3, beside=4))["both"] == (("main", 5), ("branch", 4))


def test_taking_out_copies(supernet: Supernet) -> None:
    plan = random_plans(1)[0]
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    network = supernet.extract(plan)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_gradients_stay_within_the_slice() -> None:
    supernet = Supernet(2, [small(8, 5), small(8, 3, beside=6)])
    supernet(torch.randn(2, 3, 16, 16), small(4, 3)).square().mean().backward()
    gradient = supernet.shared["stem:weight:main"].grad
    assert gradient is not None
    assert gradient[:4].abs().sum() > 0
    assert gradient[4:].abs().sum() == 0
    assert supernet.shared["branch:weight:main"].grad is None


def test_recalibration_gives_the_statistics_of_the_batches() -> None:
    torch.manual_seed(0)
    plan = small(6, 3)
    network = Supernet(2, [small(8, 5)]).extract(plan)
    batches = [torch.randn(8, 3, 16, 16) * 2 + 1 for _ in range(3)]
    recalibrate(network, batches)
    convolution, normalisation = network.layer("stem")[0], network.layer("stem")[1]  # type: ignore[index]
    outputs = [convolution(images) for images in batches]
    expected = torch.stack([output.mean((0, 2, 3)) for output in outputs]).mean(0)
    torch.testing.assert_close(normalisation.running_mean, expected)
    assert not network.training
    assert normalisation.momentum == 0.1
    once = normalisation.running_mean.clone()
    recalibrate(network, batches)
    assert torch.equal(normalisation.running_mean, once)


def test_one_picture_is_enough_where_maps_have_one_number() -> None:
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.BatchNorm2d(3))
    image = torch.rand(1, 3, 4, 4)
    recalibrate(network, [image])
    torch.testing.assert_close(network[1].running_mean, image.mean((0, 2, 3)))


def test_a_recalibrated_net_behaves_like_the_batch(supernet: Supernet) -> None:
    torch.manual_seed(1)
    plan = random_plans(3)[2]
    images = torch.randn(16, 3, 64, 64)
    network = supernet.extract(plan)
    recalibrate(network, [images])
    with torch.no_grad():
        logits, expected = network(images), supernet(images, plan)
    assert float((logits - expected).abs().mean()) < 0.05 * float(expected.std())


def test_a_net_without_normalisation_needs_no_statistics() -> None:
    plan = Plan((Layer("only", "conv", (INPUT,), 2, normalise=False),))
    network = Supernet(2, [plan]).extract(plan)
    assert isinstance(network, Network)
    recalibrate(network, [])
    assert not network.training


def end(upsampling: str) -> Plan:
    """The cheapest net with this upsampling, at half resolution."""
    choices = dict.fromkeys(CHOICES, 0) | {"upsampling": UPSAMPLINGS.index(upsampling)}
    return portrait.plan(canonical(choices), 3)


def test_every_end_starts_as_the_shared_classifier(supernet: Supernet) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        supernet.shared["head/classes:shift:main"].normal_()
        images = torch.randn(1, 3, 32, 32)
        logits = {upsampling: supernet(images, end(upsampling)) for upsampling in UPSAMPLINGS}
    torch.testing.assert_close(logits["shuffle"], logits["nearest"])
    # A transposed convolution has no neighbours to interpolate with at the border.
    middle = slice(2, -2)
    torch.testing.assert_close(logits["transposed"][..., middle, middle], logits["bilinear"][..., middle, middle])


@pytest.mark.parametrize("upsampling", ["transposed", "shuffle"])
def test_every_enlargement_starts_as_an_interpolation_at_any_width(upsampling: str, supernet: Supernet) -> None:
    """So the decoders of nets with and without resize operators start equal."""
    strided = {f"stage{stage}.{part}": 1 for stage in (1, 2, 3, 4) for part in ("depth", "stride")}
    for width, skip in product((0, 4), ("skip.stem", "skip.stage1", "skip.stage3")):
        choices = dict.fromkeys(CHOICES, 0) | strided | {"decoder.width": width, skip: 1}
        plan = portrait.plan(canonical(choices | {"upsampling": UPSAMPLINGS.index(upsampling)}), 3)
        network = supernet.extract(plan)
        found = [layer for layer in plan.layers if ".enlarge" in layer.name and layer.kind != "pixel_shuffle"]
        assert found
        for layer in found:
            weight = network.layer(layer.name)[0].weight  # type: ignore[index]
            expected = torch.empty_like(weight)
            initialise(expected, layer)
            assert torch.equal(weight, expected)


def test_what_only_adds_starts_small(supernet: Supernet) -> None:
    assert float(supernet.shared["stage3/block2/inner/project:scale:main"].detach().max()) < 0.5
    assert float(supernet.shared["decoder/stem/block1/pointwise:scale:main"].detach().max()) < 0.5
    assert float(supernet.shared["stage3/block1/inner/project:scale:main"].detach().min()) == 1
