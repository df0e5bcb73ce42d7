"""Fewer random nets before a search, for tests of what comes after them."""

from __future__ import annotations

from functools import partial

from search import launch
from search.settings import SearchSettings


def sample_less(samples: int = 12) -> None:
    """Of searches that this process starts from now on."""
    launch.SearchSettings = partial(SearchSettings, feasibility_samples=samples)  # type: ignore[misc,assignment]
