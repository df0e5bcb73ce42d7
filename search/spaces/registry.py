"""Search spaces by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundation.errors import UserError
from foundation.registry import Registry
from segmentation.baselines.registry import NETWORKS

if TYPE_CHECKING:
    from search.spaces.space import SearchSpace

SPACES: Registry[SearchSpace] = Registry(
    kind="search space",
    group="latseg.spaces",
    base="search.spaces.space:SearchSpace",
    builtin={
        "portrait": "search.spaces.portrait.space:PortraitSpace",
        "auxiliary-cells": "search.spaces.auxiliary_cells.space:AuxiliaryCellsSpace",
        "templates": "search.spaces.templates.space:TemplatesSpace",
        "citation-graph": "search.spaces.citation_graph.space:CitationGraphSpace",
    },
)


def is_network(text: str) -> bool:
    """Whether ``NAME[:KEY=VALUE,...]`` names a known network and no search space."""
    name = text.partition(":")[0]
    return name in NETWORKS.names and name not in SPACES.names


def open_nets(text: str, *, classes: int = 2, sizes: Sequence[tuple[int, int]] | None = None) -> SearchSpace:
    """As ``open_space``; a known network of one size is a space, too (``search.spaces.known_network``).

    Raises:
        UserError: as ``open_space``, or a known network without its size.
    """
    if not is_network(text):
        return open_space(text, classes=classes, sizes=sizes)
    from search.spaces.known_network import KnownNetwork

    if not sizes or len(sizes) > 1:
        raise UserError(
            f"input size of {text}", seen="none or several", expected="one height and width", remedy="give one size"
        )
    return KnownNetwork(classes, network=text, size=sizes[0])


def open_space(text: str, *, classes: int = 2, sizes: Sequence[tuple[int, int]] | None = None) -> SearchSpace:
    """The space that ``NAME[:KEY=VALUE,...]`` names.

    Args:
        text: name and options.
        classes: of the task.
        sizes: input sizes (height, width), for a space that has an option ``sizes``.

    Raises:
        UserError: no such space, or options that it does not take.
    """
    space, options = SPACES.parse(text)
    if sizes:
        if "sizes" not in getattr(getattr(space, "Options", None), "model_fields", ()):
            raise UserError(
                f"input sizes of {text}",
                seen="some",
                expected="none: the space has no such option",
                remedy="leave them out",
            )
        options["sizes"] = tuple(sizes)
    return space(classes, **options)
