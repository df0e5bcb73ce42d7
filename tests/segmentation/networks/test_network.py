from __future__ import annotations

from random import Random

import pytest
import torch

from segmentation.networks.network import Network
from segmentation.networks.plan import INPUT, Layer, Plan
from segmentation.portrait import plan as portrait
from segmentation.portrait.slots import CHOICES, UPSAMPLINGS, canonical

EVERY_KIND = Plan(
    (
        Layer("stem", "conv", (INPUT,), 8, 3, 2, activation="hswish"),
        Layer("dilated", "conv", ("stem",), 8, 5, 1, 2, depthwise=True, activation="relu"),
        Layer("pool", "global_pool", ("dilated",)),
        Layer("gate", "conv", ("pool",), 8, normalise=False, activation="hsigmoid"),
        Layer("gated", "mul", ("dilated", "gate")),
        Layer("sum", "add", ("gated", "stem")),
        Layer("both", "concat", ("sum", "stem")),
        Layer("shuffled", "pixel_shuffle", ("both",), factor=2),
        Layer("smaller", "conv", ("shuffled",), 4, 3, 2),
        Layer("larger", "conv_transpose", ("smaller",), 3, 4, 2, normalise=False),
        Layer("nearest", "resize", ("larger",), factor=2, mode="nearest"),
        Layer("back", "conv", ("nearest",), 3, 1, 2),
        Layer("half", "conv", ("back",), 3, 3, 2),
        Layer("plain", "conv", ("half",), 3, depthwise=True, normalise=False, bias=False, activation="relu6"),
        Layer("small", "global_pool", ("plain",)),
        Layer("alike", "resize_like", ("small", "plain")),
        Layer("logits", "resize", ("alike",), factor=2),
    ),
    unread=(Layer("spare", "conv", ("half",), 5), Layer("more", "conv", ("spare",), 4, 3, normalise=False)),
)


def test_every_kind_of_layer_has_the_planned_shape() -> None:
    network = Network(EVERY_KIND).eval()
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, module in zip(EVERY_KIND.layers, network.layers, strict=True):
        module.register_forward_hook(
            lambda _module, _inputs, output, name=layer.name: shapes.update({name: tuple(output.shape)})
        )
    network(torch.zeros(2, 3, 32, 64))
    channels, sizes = EVERY_KIND.channels(), EVERY_KIND.sizes(32, 64)
    assert shapes == {layer.name: (2, channels[layer.name], *sizes[layer.name]) for layer in EVERY_KIND.layers}
    assert shapes["logits"] == (2, 3, 32, 64)


def test_layers_that_nothing_reads_are_weights_and_not_run() -> None:
    network = Network(EVERY_KIND)
    for module in network.unread:
        module.register_forward_hook(lambda *_: pytest.fail("was run"))
    network(torch.zeros(2, 3, 16, 16)).sum().backward()
    assert sum(parameter.numel() for parameter in network.unread.parameters()) == (3 * 5 + 2 * 5) + (5 * 4 * 9 + 4)
    assert {name for name, value in network.named_parameters() if value.grad is None} == {
        name for name, _ in network.named_parameters() if name.startswith("unread.")
    }


def test_what_a_tensor_is_resized_like_gives_its_size() -> None:
    plan = Plan((Layer("mean", "global_pool", (INPUT,)), Layer("back", "resize_like", ("mean", INPUT))))
    images = torch.rand(2, 3, 8, 12)
    assert torch.allclose(Network(plan)(images), images.mean((2, 3), keepdim=True).expand_as(images))


def test_a_convolution_without_normalisation_may_have_no_bias() -> None:
    plain = Network(EVERY_KIND).layer("plain")
    assert plain[0].bias is None  # type: ignore[index]
    assert isinstance(plain[1], torch.nn.ReLU6)  # type: ignore[index]


def test_trainable_numbers_are_the_plans() -> None:
    rng = Random(1)
    for classes in (2, 11):
        net = canonical({name: rng.randrange(choices) for name, choices in CHOICES.items()})
        plan = portrait.plan(net, classes)
        assert sum(parameter.numel() for parameter in Network(plan).parameters()) == plan.parameters()
    assert sum(parameter.numel() for parameter in Network(EVERY_KIND).parameters()) == EVERY_KIND.parameters()


@pytest.mark.parametrize("upsampling", range(len(UPSAMPLINGS)))
def test_gradients_reach_every_parameter(upsampling: int) -> None:
    torch.manual_seed(0)
    rng = Random(upsampling)
    choices = {name: rng.randrange(choices) for name, choices in CHOICES.items()}
    choices |= {"size": 0, "upsampling": upsampling} | {f"stage{stage}.depth": 1 for stage in (1, 2, 3, 4, 5)}
    network = Network(portrait.plan(canonical(choices)))
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    # Squeezed gates may saturate; nearly everything moves.
    moving = sum(bool(parameter.grad.abs().sum() > 0) for parameter in network.parameters())  # type: ignore[union-attr]
    assert moving > 0.8 * len(list(network.parameters()))


def test_rectangular_images_of_other_sizes() -> None:
    network = Network(EVERY_KIND).eval()
    assert network(torch.zeros(1, 3, 16, 48)).shape == (1, 3, 16, 48)


def test_layers_are_found_by_name() -> None:
    network = Network(EVERY_KIND)
    assert network.layer("stem") is network.layers[0]
    assert network.layer("pool") is network.layers[2]
    with pytest.raises(StopIteration):
        network.layer("nowhere")


def test_logits_start_near_zero() -> None:
    torch.manual_seed(0)
    plan = portrait.plan(canonical(dict.fromkeys(CHOICES, 0)))
    assert Network(plan)(torch.randn(2, 3, 64, 64)).std() < 0.5
