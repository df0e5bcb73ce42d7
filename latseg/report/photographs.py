"""Whether a report may show photographs: it may be passed on, and photographs often may not."""

from __future__ import annotations

from search.run_config import RunConfig

LEFT_OUT = "Photographs are left out; --photographs includes them"


def may_show(config: RunConfig, *, photographs: bool) -> bool:
    """True where the user asked for photographs, and for synthetic data, which show nobody."""
    return photographs or is_synthetic(config.data)


def is_synthetic(data: str) -> bool:
    """Whether all pictures of a data source are painted."""
    return data.partition(":")[0] == "synthetic"
