"""Which part of its data a run holds out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from search.run_config import FILE_NAME, read_config
from search.spaces.portrait.space import PortraitSpace
from search.tasks.segmentation import SegmentationTask
from tests.search.test_run_config import OF_115E2DA, write_pairs


@pytest.mark.parametrize("document", [{}, {"data_test": True}])
def test_runs_of_115e2da_keep_their_split(tmp_path: Path, document: dict[str, Any]) -> None:
    write_pairs(tmp_path)
    (tmp_path / FILE_NAME).write_text(json.dumps(OF_115E2DA | {"data": f"folder:{tmp_path}"} | document))
    source = SegmentationTask(PortraitSpace(), read_config(tmp_path).task_options(tmp_path)).source
    assert (len(source.test) > 0) == bool(document)
    assert len(source.train) + len(source.validation) + len(source.test) == 60
