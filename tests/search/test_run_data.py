"""Which part of its data a run holds out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from search.run_config import FILE_NAME, read_config
from search.spaces.portrait.space import PortraitSpace
from search.tasks.segmentation import SegmentationTask
from tests.search.test_run_config import OF_115E2DA


@pytest.mark.parametrize("document", [{}, {"data_test": True}])
def test_runs_of_115e2da_keep_their_split(tmp_path: Path, document: dict[str, Any]) -> None:
    for part, mode in (("images", "RGB"), ("masks", "L")):
        (tmp_path / part).mkdir()
        for number in range(60):
            picture = Image.new(mode, (16, 16))
            picture.paste("white", (4, 4, 12, 16))
            picture.save(tmp_path / part / f"{number}.png")
    (tmp_path / FILE_NAME).write_text(json.dumps(OF_115E2DA | {"data": f"folder:{tmp_path}"} | document))
    source = SegmentationTask(PortraitSpace(), read_config(tmp_path).task_options(tmp_path)).source
    assert (len(source.test) > 0) == bool(document)
    assert len(source.train) + len(source.validation) + len(source.test) == 60
