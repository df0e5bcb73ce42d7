"""How many different nets the ``auxiliary-cells`` space holds at least."""

from __future__ import annotations

from math import factorial, prod

from segmentation.auxiliary_cells.genotype import CONNECTIONS, ENTRIES, nodes_before, pool_before
from segmentation.auxiliary_cells.operations import WEIGHTED


def fewest_genotypes() -> int:
    """Canonical genotypes whose cells have neither skip nor zero.

    Such a cell has an operation with weights in every place, and what each one reads decides its node: not more cells
    are equal than there are orders of the operations. Not more connections are equal than there are orders of them and
    of both inputs of each.
    """
    operations = 1 + 2 * ENTRIES
    cells: int = len(WEIGHTED) ** operations * prod(nodes_before(entry) ** 2 for entry in range(1, ENTRIES + 1))
    connections: int = prod(pool_before(number) ** 2 for number in range(1, CONNECTIONS + 1))
    orders: int = factorial(CONNECTIONS) * 2**CONNECTIONS
    return (cells // factorial(operations)) * (connections // orders)
