"""Random genotypes."""

from __future__ import annotations

from random import Random

from search.spaces.templates.choices import CHOICES, genotype_of
from segmentation.templates.genotype import LAYERS, MOST_REPEATS, Genotype

MOST_FURTHER = LAYERS * (MOST_REPEATS - 1)
"""Repeats behind the first one of each layer."""


def random_genotype(further: int, rng: Random) -> Genotype:
    """A genotype whose layers have so many repeats behind their first ones; everything else is uniform."""
    genotype = genotype_of({name: rng.randrange(count) for name, count in CHOICES.items()})
    places = [place for place in range(LAYERS) for _ in range(MOST_REPEATS - 1)]
    chosen = rng.sample(places, further)
    layers = [layer._replace(further=chosen.count(place)) for place, layer in enumerate(genotype.layers)]
    return genotype._replace(layers=tuple(layers))
