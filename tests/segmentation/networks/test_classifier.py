"""The encoder of a plan as a classifier, and which weights of a network fit another task."""

from __future__ import annotations

from random import Random

import pytest
import torch

from search.architecture import Architecture
from search.spaces.portrait.space import PortraitSpace
from segmentation.networks.classifier import classifier_plan
from segmentation.networks.network import Network
from segmentation.networks.plan import Plan
from segmentation.networks.starting_weights import without_head
from segmentation.pretrained.weights import take_fitting

SPACE = PortraitSpace()
NETS = SPACE.sample(12, Random(3))


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.id)
def test_the_encoder_ends_at_the_coarsest_map_and_holds_no_other_part(net: Architecture) -> None:
    plan, size = SPACE.plan(net), SPACE.input_size(net)
    made = classifier_plan(plan, 7)
    *encoder, pool, logits = made.layers
    assert tuple(encoder) == plan.layers[: len(encoder)]
    assert {layer.name.split(".")[0].rstrip("12345") for layer in encoder} <= {"stem", "stage"}
    assert plan.layers[len(encoder)].name.split(".")[0] in ("context", "decoder")
    coarsest = min(height for height, _ in plan.sizes(*size).values() if height > 1)
    assert made.sizes(*size)[made.encoder][0] == coarsest
    assert (pool.kind, logits.kernel, made.classes) == ("global_pool", 1, 7)
    assert made.sizes(*size)[logits.name] == (1, 1)


def test_the_encoder_computes_what_it_computed_in_the_net() -> None:
    plan = SPACE.plan(NETS[0])
    source, target = Network(plan).eval(), Network(classifier_plan(plan, 5)).eval()
    kept = without_head(source.state_dict(), target, Network(classifier_plan(plan, 6)))
    take_fitting(target, kept)
    seen: list[torch.Tensor] = []
    source.layer(plan.encoder).register_forward_hook(lambda *call: seen.append(call[2]))
    target.layer("classifier.pool").register_forward_hook(lambda *call: seen.append(call[1][0]))
    image = torch.rand(1, 3, *SPACE.input_size(NETS[0]))
    with torch.no_grad():
        source(image), target(image)
    torch.testing.assert_close(seen[0], seen[1])


def test_a_plan_that_does_not_name_its_encoder_has_no_classifier() -> None:
    with pytest.raises(ValueError, match="not in list"):
        classifier_plan(Plan(SPACE.plan(NETS[0]).layers), 3)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.id)
def test_all_but_the_head_fits_other_classes(net: Architecture) -> None:
    source = Network(SPACE.plan(net))
    spaces = (PortraitSpace(classes=19), PortraitSpace(classes=20))
    target, other = (Network(space.plan(net)) for space in spaces)
    kept = without_head(source.state_dict(), target, other)
    left = {int(key.split(".")[1]) for key in source.state_dict().keys() - kept.keys()}
    assert left
    assert all(SPACE.plan(net).layers[position].name.startswith("head") for position in left)
    assert take_fitting(target, kept) == len(kept)
    assert all(torch.equal(target.state_dict()[key], value) for key, value in kept.items())


def test_a_layer_of_the_decoder_never_becomes_the_classifier() -> None:
    """By chance the layer at the position of the linear one has its shape."""
    plan = SPACE.plan(NETS[0])
    position = [layer.name for layer in plan.layers].index(plan.encoder) + 2
    channels = plan.layers[position].out_channels or 16
    target, other = (Network(classifier_plan(plan, classes)) for classes in (channels, channels + 1))
    weights = {key: value + 1 for key, value in target.state_dict().items()}
    kept = without_head(weights, target, other)
    assert not any(key.startswith(f"layers.{position}.") for key in kept)
