"""The slots of the ``templates`` space, and the genotype that their choices are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from search.spaces.sizes import SIZE_SLOT
from search.spaces.space import Slot
from segmentation.templates.genotype import (
    LAYERS,
    MOST_REPEATS,
    TEMPLATES,
    Genotype,
    Layer,
    Template,
    layer_choices,
)
from segmentation.templates.operations import OPERATIONS

_OPERATION_LABELS = tuple(operation.name for operation in OPERATIONS)
_AGGREGATION_LABELS = ("sum", "concatenation")
_TEMPLATE_PARTS = ("operation1", "operation2", "aggregation")
_LAYER_PARTS = ("input1", "input2", "template", "repeats", "stride")
"""Of a template and of a layer, in their orders."""


def _template_slots(number: int) -> Iterator[Slot]:
    for part in ("operation1", "operation2"):
        yield Slot(f"template{number}.{part}", len(_OPERATION_LABELS), labels=_OPERATION_LABELS)
    yield Slot(f"template{number}.aggregation", len(_AGGREGATION_LABELS), labels=_AGGREGATION_LABELS)


def _layer_slots(number: int) -> Iterator[Slot]:
    entries, _, templates, repeats, strides = layer_choices(number)
    for part in ("input1", "input2"):
        yield Slot(f"layer{number}.{part}", entries)
    if number > 1:
        yield Slot(f"layer{number}.template", min(number, templates))
    yield Slot(f"layer{number}.repeats", repeats, ordered=True, labels=tuple(map(str, range(1, MOST_REPEATS + 1))))
    if strides > 1:
        yield Slot(f"layer{number}.stride", strides, ordered=True, labels=("1", "2"))


SLOTS = (
    SIZE_SLOT,
    *(slot for number in range(1, TEMPLATES + 1) for slot in _template_slots(number)),
    *(slot for number in range(1, LAYERS + 1) for slot in _layer_slots(number)),
)
"""In the order of the numbers in a genotype. A template is numbered by the first layer that it makes, so the first
layer has no choice; layers behind the first half have no stride."""
NAMES = tuple(slot.name for slot in SLOTS)
CHOICES = {slot.name: slot.choices for slot in SLOTS}
"""Number of choices by slot."""


def genotype_of(choices: Mapping[str, int]) -> Genotype:
    """The genotype of one choice for every slot."""
    templates = tuple(
        Template(*(choices[f"template{number}.{part}"] for part in _TEMPLATE_PARTS))
        for number in range(1, TEMPLATES + 1)
    )
    layers = tuple(
        Layer(*(choices.get(f"layer{number}.{part}", 0) for part in _LAYER_PARTS)) for number in range(1, LAYERS + 1)
    )
    return Genotype(templates, layers)


def choices_of(size: int, genotype: Genotype) -> tuple[tuple[str, int], ...]:
    """The choices of an input size (its place in ``SIZES``) and a genotype."""
    numbers = {"size": size}
    for number, template in enumerate(genotype.templates, start=1):
        for part, choice in zip(_TEMPLATE_PARTS, template, strict=True):
            numbers[f"template{number}.{part}"] = choice
    for number, layer in enumerate(genotype.layers, start=1):
        numbers |= {f"layer{number}.{part}": choice for part, choice in zip(_LAYER_PARTS, layer, strict=True)}
    return tuple((name, numbers[name]) for name in NAMES)
