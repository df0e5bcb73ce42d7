"""The slots of the ``auxiliary-cells`` space, and the genotype that their choices are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from search.spaces.sizes import SIZE_SLOT
from search.spaces.space import Slot
from segmentation.auxiliary_cells.genotype import (
    CONNECTIONS,
    ENTRIES,
    Cell,
    Genotype,
    nodes_before,
    pool_before,
)
from segmentation.auxiliary_cells.operations import OPERATIONS

_LABELS = tuple(operation.name for operation in OPERATIONS)


def _entry_slots(entry: int) -> Iterable[Slot]:
    for part in ("node1", "node2"):
        yield Slot(f"entry{entry}.{part}", nodes_before(entry))
    for part in ("operation1", "operation2"):
        yield Slot(f"entry{entry}.{part}", len(OPERATIONS), labels=_LABELS)


SLOTS = (
    SIZE_SLOT,
    Slot("first.operation", len(OPERATIONS), labels=_LABELS),
    *(slot for entry in range(1, ENTRIES + 1) for slot in _entry_slots(entry)),
    *(
        Slot(f"connection{number}.{part}", pool_before(number))
        for number in range(1, CONNECTIONS + 1)
        for part in ("input1", "input2")
    ),
)
"""In the order of the numbers in a genotype."""
NAMES = tuple(slot.name for slot in SLOTS)
OPERATION_NAMES = tuple(slot.name for slot in SLOTS if slot.labels == _LABELS)
CHOICES = {slot.name: slot.choices for slot in SLOTS}
"""Number of choices by slot."""


def genotype_of(choices: Mapping[str, int]) -> Genotype:
    """The genotype of one choice for every slot."""
    _, first, *numbers = (choices[name] for name in NAMES)
    split = 4 * ENTRIES
    entries = tuple((numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]) for at in range(0, split, 4))
    connections = tuple((numbers[at], numbers[at + 1]) for at in range(split, len(numbers), 2))
    return Genotype(Cell(first, entries), connections)


def choices_of(size: int, genotype: Genotype) -> tuple[tuple[str, int], ...]:
    """The choices of an input size (its place in ``SIZES``) and a genotype."""
    numbers = [number for part in (*genotype.cell.entries, *genotype.connections) for number in part]
    return tuple(zip(NAMES, (size, genotype.cell.first, *numbers), strict=True))
