"""Whether a report may show photographs: it may be passed on, and photographs often may not."""

from __future__ import annotations

from search.run_config import RunConfig

LEFT_OUT = "Photographs are left out; --photographs includes them"


def may_show(config: RunConfig, *, photographs: bool) -> bool:
    """True where the user asked for photographs, and for synthetic data, which show nobody."""
    return photographs or config.data.startswith("synthetic")
