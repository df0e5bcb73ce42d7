"""Nets of the ``auxiliary-cells`` space that together contain every layer."""

from __future__ import annotations

from collections.abc import Iterator

from segmentation.auxiliary_cells.genotype import Cell, Connection, Genotype
from segmentation.auxiliary_cells.operations import WEIGHTED
from segmentation.auxiliary_cells.plan import plan
from segmentation.networks.plan import Plan

_ALIKE: tuple[Connection, ...] = ((0, 0), (0, 0), (0, 0))
"""Three outputs of one size."""
_DIFFERENT: tuple[Connection, ...] = ((0, 1), (2, 3), (3, 3))
"""Every feature, and three outputs of different sizes."""


def widest_plans(classes: int, *, encoder: str, channels: int) -> Iterator[Plan]:
    """Plans whose layers, merged by name, are those of all nets of the space."""
    for operation in WEIGHTED:
        cell = Cell(operation, ((0, 0, operation, operation),) * 3)
        for connections in (_ALIKE, _DIFFERENT) if operation == 0 else (_ALIKE,):
            yield plan(Genotype(cell, connections), classes, encoder=encoder, channels=channels)
