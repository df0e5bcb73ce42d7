"""The small encoder that ships: nets and supernets of the spaces that have it begin with it."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch.nn.functional import avg_pool2d

from search.spaces.auxiliary_cells.space import AuxiliaryCellsSpace
from search.spaces.genotype_space import GenotypeSpace
from search.spaces.templates.space import TemplatesSpace
from search.tasks.first_lessons import with_shipped_weights
from segmentation.auxiliary_cells.encoder import PREFIX, encoder_features
from segmentation.data.source import batch_of
from segmentation.data.synthetic.source import SyntheticPeople
from segmentation.networks.network import Network
from segmentation.networks.plan_builder import PlanBuilder
from segmentation.normalisation import normalise
from segmentation.pretrained.encoder import encoder_of, start_encoder, start_shared_encoder
from segmentation.pretrained.weights import shipped
from segmentation.supernet.supernet import recalibrate

SIZE = (128, 128)
SPACES = [AuxiliaryCellsSpace(encoder="small", sizes=(SIZE,)), TemplatesSpace(encoder="small", sizes=(SIZE,))]
NAMES = [space.name for space in SPACES]
COARSE_UNREAD = "[[9, [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]], [[0, 0], [0, 4], [0, 5]]]"
"""Reads the first feature alone: most of the encoder is unread, and stands at other positions."""


def fresh(space: GenotypeSpace, text: str = "") -> Network:
    net = space.parse(text) if text else space.sample(1, Random(0))[0]
    torch.manual_seed(0)
    return Network(space.plan(net))


def assert_begun(network: Network) -> None:
    weights, state = shipped("small-encoder"), encoder_of(network).state_dict()
    assert state.keys() <= weights.keys()
    for key, value in state.items():
        assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_every_weight_of_the_encoder_ships(space: GenotypeSpace) -> None:
    network, other = fresh(space), fresh(space)
    assert start_encoder(network) == len(encoder_of(network).state_dict()) > 100
    assert_begun(network)
    layers = [*network.plan.layers, *network.plan.unread]
    modules = zip([*network.layers, *network.unread], [*other.layers, *other.unread], strict=True)
    for layer, (module, as_it_was) in zip(layers, modules, strict=True):
        if not layer.name.startswith(PREFIX):
            state = as_it_was.state_dict()
            assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items()), layer.name


def test_layers_are_found_by_name_where_they_stand_elsewhere() -> None:
    network = fresh(SPACES[0], COARSE_UNREAD)
    assert len(network.unread) > 30
    assert start_encoder(network) == len(shipped("small-encoder"))
    assert_begun(network)


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_a_supernet_begins_with_it(space: GenotypeSpace) -> None:
    net = space.sample(1, Random(0))[0]
    begun, other = (space.supernet(pretrained=pretrained).extract(space.plan(net)) for pretrained in (True, False))
    weights, state = shipped("small-encoder"), encoder_of(begun).state_dict()
    trained = [key for key in state if key.endswith(("0.weight", "1.weight", "1.bias"))]
    assert len(trained) > 50
    for key in trained:
        assert torch.equal(state[key], weights[key]), key
    assert not torch.equal(encoder_of(other).state_dict()[trained[0]], weights[trained[0]])


def test_the_supernet_tells_how_much_it_took() -> None:
    assert start_shared_encoder(SPACES[0].supernet(pretrained=False)) == 3 * sum(
        key.endswith("0.weight") for key in shipped("small-encoder")
    )


def test_its_features_tell_where_people_are_in_scenes_that_it_never_saw() -> None:
    builder = PlanBuilder()
    encoder_features(builder, "small")
    torch.manual_seed(0)
    fresh_encoder, begun = Network(builder.plan()), Network(builder.plan())
    start_encoder(begun)
    images, masks = batch_of(SyntheticPeople(80, seed=97, size=SIZE), range(80))
    share = avg_pool2d(masks.float().unsqueeze(1), 32).flatten()

    def correlation(encoder: Network) -> float:
        """Of the share of people in each cell of 32 x 32 pixels with a linear function of its features."""
        recalibrate(encoder, [normalise(images)])
        with torch.no_grad():
            features = encoder(normalise(images)).permute(0, 2, 3, 1).flatten(0, 2)
        half = len(share) // 2
        weights = torch.linalg.lstsq(features[:half], share[:half, None]).solution
        return float(torch.corrcoef(torch.stack([(features[half:] @ weights)[:, 0], share[half:]]))[0, 1])

    assert correlation(begun) > 0.6 > 0.4 > correlation(fresh_encoder)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_candidates_begin_with_it_whatever_the_classes(space: GenotypeSpace, classes: int) -> None:
    several = space.for_classes(classes)
    network = with_shipped_weights(several, several.sample(1, Random(0))[0], seed=0)
    assert isinstance(network, Network)
    assert_begun(network)


@pytest.mark.parametrize("space", [AuxiliaryCellsSpace(), TemplatesSpace()], ids=NAMES)
def test_no_weights_ship_for_the_full_encoder(space: GenotypeSpace) -> None:
    assert space.shipped_weights is None
    net = space.sample(1, Random(0))[0]
    begun = with_shipped_weights(space, net, seed=0).state_dict()
    torch.manual_seed(0)
    expected = space.build(net).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in begun.items())
