"""Priors learned with less effort: these tests are about what is done with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def short_learning() -> Iterator[None]:
    """Fewer trees for each source, and fewer tasks."""
    from latency.predictors.additive import trees
    from latency.predictors.transfer import source_tasks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "BOOSTED", 60)
        patch.setattr(source_tasks, "_TASKS", 90)
        patch.setattr(source_tasks, "_WEIGHING_TASKS", 45)
        yield
