"""The slots of the ``auxiliary-cells`` space, and the genotype that their choices are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from foundation.errors import UserError
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

SIZES = ((128, 128), (160, 128), (192, 128), (160, 160), (192, 192), (256, 160), (256, 192), (224, 224), (256, 256))
"""Height and width of the input, multiples of 32, by area."""

_LABELS = tuple(operation.name for operation in OPERATIONS)


def _entry_slots(entry: int) -> Iterable[Slot]:
    for part in ("node1", "node2"):
        yield Slot(f"entry{entry}.{part}", nodes_before(entry))
    for part in ("operation1", "operation2"):
        yield Slot(f"entry{entry}.{part}", len(OPERATIONS), labels=_LABELS)


SLOTS = (
    Slot("size", len(SIZES), ordered=True, labels=tuple(f"{height}x{width}" for height, width in SIZES)),
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


def check(choices: Sequence[tuple[str, int]]) -> None:
    """Raises ``UserError`` where the pairs (slot, choice) are not one choice for every slot, in order."""
    names = tuple(name for name, _ in choices)
    if names != NAMES:
        differing = sorted(set(names) ^ set(NAMES)) or ["slots in another order"]
        seen = f"{len(names)} slots, differing in {', '.join(differing[:3])}"
        raise not_a_member(seen, f"the {len(NAMES)} slots in order")
    for name, choice in choices:
        if not 0 <= choice < CHOICES[name]:
            raise not_a_member(f"{name} = {choice}", f"{name} in 0..{CHOICES[name] - 1}")


def not_a_member(seen: str, expected: str) -> UserError:
    """The error of an architecture that the space does not have."""
    return UserError(
        "architecture",
        seen=seen,
        expected=expected,
        remedy="take architectures from `latseg describe --space auxiliary-cells --random 1 --json`",
    )
