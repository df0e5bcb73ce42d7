from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from search.spaces.templates.canonical import canonical
from search.spaces.templates.sampling import random_genotype
from segmentation.templates.genotype import FEATURES, LAYERS, STRIDED, Genotype, Layer, Template
from segmentation.templates.operations import SKIP

UNUSED = Template(SKIP, SKIP, 0)
CHAIN = tuple(Layer(entry, entry, 0, 0, 0) for entry in range(1, LAYERS + 1))


def genotype(*templates: tuple[int, int, int], first: Layer, layers: tuple[Layer, ...] = CHAIN) -> Genotype:
    known = tuple(Template(*numbers) for numbers in templates)
    return Genotype((*known, *(UNUSED,) * (3 - len(known))), (first, *layers[1:]))


def respelled(given: Genotype, rng: Random) -> Genotype:
    """The same net with templates and layers in another order."""
    order = [*rng.sample(range(STRIDED), STRIDED), *rng.sample(range(STRIDED, LAYERS), LAYERS - STRIDED)]
    names = {entry: entry for entry in range(FEATURES)} | {
        FEATURES + old: FEATURES + new for new, old in enumerate(order)
    }
    numbers = rng.sample(range(3), 3)
    layers = []
    for old in order:
        layer = given.layers[old]
        layers.append(
            layer._replace(first=names[layer.first], second=names[layer.second], template=numbers[layer.template])
        )
    templates = [UNUSED] * 3
    for old, template in enumerate(given.templates):
        templates[numbers[old]] = template
    return Genotype(tuple(templates), tuple(layers))


def readable(given: Genotype) -> bool:
    return all(max(layer.first, layer.second) < FEATURES + place for place, layer in enumerate(given.layers))


@pytest.mark.parametrize("seed", range(20))
def test_other_orders_of_templates_and_layers_are_the_same_net(seed: int) -> None:
    rng = Random(seed)
    given = random_genotype(rng.randrange(22), rng)
    found = canonical(given)
    assert canonical(found) == found
    others = [other for other in (respelled(given, rng) for _ in range(60)) if readable(other)]
    assert {canonical(other) for other in others} <= {found}


def test_more_layers_than_their_half_allows_are_not_exchanged() -> None:
    layers = tuple(Layer(0, place % 2, 0, 1, 0) for place in range(LAYERS))
    found = {
        canonical(Genotype((Template(1, 0, 0), UNUSED, UNUSED), tuple(layers[place] for place in order)))
        for order in [tuple(range(LAYERS)), (3, 1, 2, 0, 4, 5, 6), (6, 1, 2, 3, 4, 5, 0)]
    }
    assert len(found) == 2, "a net with two of one kind in the first half, and one with one of it"


def test_a_layer_whose_inputs_have_one_size_may_stand_in_either_half() -> None:
    def net(*order: int) -> Genotype:
        kinds = (1, 0, 0, 0, 0, 2, 2)
        return Genotype(
            (Template(0, 0, 0), Template(1, 1, 1), Template(2, 3, 0)),
            tuple(Layer(0, int(kind == 2), kind, 0, 0) for kind in (kinds[place] for place in order)),
        )

    assert canonical(net(0, 1, 2, 3, 4, 5, 6)) == canonical(net(3, 4, 1, 2, 0, 5, 6))
    assert canonical(net(0, 1, 2, 3, 4, 5, 6)) != canonical(net(5, 1, 2, 3, 4, 0, 6)), "inputs of two sizes"


def test_a_template_that_no_layer_uses_has_no_operations() -> None:
    found = canonical(genotype((1, 1, 1), (2, 3, 0), first=Layer(0, 1, 0, 0, 0)))
    assert found.templates == ((1, 1, 1), UNUSED, UNUSED)


def test_equal_templates_are_one() -> None:
    layers = (CHAIN[0], CHAIN[1]._replace(template=1), *CHAIN[2:])
    found = canonical(genotype((1, 0, 1), (1, 0, 1), first=Layer(0, 1, 0, 0, 0), layers=layers))
    assert {layer.template for layer in found.layers} == {0}


def test_inputs_and_operations_of_a_layer_with_one_repeat_are_swapped_together() -> None:
    first, second = (genotype(pair, first=layer) for pair, layer in [
        ((1, 0, 0), Layer(0, 1, 0, 0, 0)), ((0, 1, 0), Layer(1, 0, 0, 0, 0)),
    ])  # fmt: skip
    assert canonical(first) == canonical(second)
    assert canonical(first) != canonical(genotype((0, 1, 0), first=Layer(0, 1, 0, 0, 0)))
    assert canonical(genotype((1, 1, 0), first=Layer(1, 0, 0, 0, 0))).layers[0][:2] == (0, 1)


def test_a_layer_with_more_repeats_keeps_its_order_and_that_of_its_template() -> None:
    often = genotype((1, 0, 0), first=Layer(0, 1, 0, 2, 0))
    assert canonical(often).templates[0] == (1, 0, 0)
    assert canonical(often).layers[0] == often.layers[0]
    assert canonical(often) != canonical(genotype((0, 1, 0), first=Layer(1, 0, 0, 2, 0)))
    once = often.layers[1]._replace(first=1, second=2)
    both = Genotype(often.templates, (often.layers[0], once, *often.layers[2:]))
    assert canonical(both).templates[1:] == (UNUSED, UNUSED), "a layer with one repeat needs no template of its own"


def test_orders_are_all_searched() -> None:
    """Layers that look alike until others read them."""
    alike = [Layer(0, 0, 0, 0, 0)] * STRIDED
    ends = [Layer(4, 4, 1, 1, 0), Layer(3, 4, 1, 2, 0), Layer(2, 2, 1, 3, 0), Layer(5, 6, 1, 1, 0)]
    templates = (Template(1, 1, 0), Template(0, 3, 1), UNUSED)
    found = set()
    for order in permutations((2, 3, 4)):
        names = dict(zip((2, 3, 4), order, strict=True))
        renamed = [
            layer._replace(first=names.get(layer.first, layer.first), second=names.get(layer.second, layer.second))
            for layer in ends
        ]
        found.add(canonical(Genotype(templates, (*alike, *renamed))))
    assert len(found) == 1
