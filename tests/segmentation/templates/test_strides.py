from __future__ import annotations

from random import Random

import pytest

from segmentation.templates.genotype import LAYERS
from segmentation.templates.plan import plan
from segmentation.templates.strides import STRIDES, output_stride
from tests.segmentation.templates.test_plan import of_random_numbers


@pytest.mark.parametrize("seed", range(10))
def test_strides_are_those_of_the_plan(seed: int) -> None:
    genotype = of_random_numbers(Random(seed))
    sizes = plan(genotype, encoder="small").sizes(192, 128)
    strides = list(STRIDES)
    for place in range(LAYERS):
        strides.append(output_stride(genotype, place, strides))
        assert sizes[f"decoder.layer{place + 1}"] == (-(-192 // strides[-1]), -(-128 // strides[-1]))
