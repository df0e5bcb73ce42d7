"""Which part of its data a run holds out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from search.run_config import FILE_NAME, read_config
from search.tasks.segmentation import SegmentationTask

FIRST_RELEASE: dict[str, Any] = {
    "schema_version": 1, "run": "r", "created": "", "command": "", "space": "portrait", "sizes": None,
    "data_size": [16, 16], "data_count": None, "resize_masks": False, "classes": ["background", "person"],
    "targets": [{
        "device": "cpu", "threads": 1, "maximum_ms": 5.0, "fingerprint": "f", "hardware": "h", "runtime": "r",
        "runtime_version": "1", "simulated": False,
    }],
    "max_parameters": 1000, "trials": 10, "winners": 1, "strategy": "evolution", "seed": 0, "effort": {},
    "versions": {},
}  # fmt: skip


@pytest.mark.parametrize("document", [{}, {"data_test": True}])
def test_runs_of_the_first_release_keep_their_split(tmp_path: Path, document: dict[str, Any]) -> None:
    for part, mode in (("images", "RGB"), ("masks", "L")):
        (tmp_path / part).mkdir()
        for number in range(60):
            Image.new(mode, (16, 16)).save(tmp_path / part / f"{number}.png")
    run = FIRST_RELEASE | {"data": f"folder:{tmp_path}"} | document
    (tmp_path / FILE_NAME).write_text(json.dumps(run))
    options = read_config(tmp_path).task_options(tmp_path)
    source = SegmentationTask(cast("Any", None), options).source
    assert (len(source.test) > 0) == bool(document)
    assert len(source.train) + len(source.validation) + len(source.test) == 60
