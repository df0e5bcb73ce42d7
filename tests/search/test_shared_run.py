from __future__ import annotations

from pathlib import Path

import pytest

from search.options import BudgetOptions, DataOptions
from search.run_config import RunConfig
from search.shared_run import shared_folder, shared_run


@pytest.mark.parametrize(
    ("data", "shared"),
    [
        ("folder:/home/me/My Photos", "folder:My Photos"),
        ("folder:/home/me/PHOTOS?resize-masks", "folder:PHOTOS?resize-masks"),
        ("synthetic:8", "synthetic:8"),
        ("synthetic", "synthetic"),
    ],
)
def test_folders_are_told_by_their_names(data: str, shared: str) -> None:
    config = RunConfig.create(BudgetOptions(latency_ms={"simulated": 1.0}), DataOptions(source="synthetic:8"))
    place = data.removeprefix("folder:").partition("?")[0]
    config = config.model_copy(update={"data": data, "data_notes": (f"1 left out of {place}/masks: x",)})
    told = shared_run(config)
    assert told.data == shared
    assert told.data_notes[0] == f"1 left out of {Path(place).name}/masks: x"
    assert told.model_copy(update={"data": data, "data_notes": config.data_notes}) == config


def test_a_workspace_is_told_by_its_name_where_its_place_is_written_in_full() -> None:
    assert shared_folder(Path("/home/me/work")) == Path("work")
    assert shared_folder(Path("runs/work")) == Path("runs/work")


@pytest.mark.parametrize(
    ("device", "shared"),
    [
        ("pool:/home/me/boards.txt", "pool:boards.txt"),
        ("pool:file=/home/me=1/boards.txt", "pool:boards.txt"),
        ("ssh://me@board/cpu:threads=2", "ssh://me@board/cpu:threads=2"),
        ("simulated:seed=2", "simulated:seed=2"),
    ],
)
def test_the_file_of_a_pool_is_told_by_its_name(device: str, shared: str) -> None:
    config = RunConfig.create(BudgetOptions(latency_ms={"simulated": 1.0}), DataOptions(source="synthetic:8"))
    target = config.targets[0].model_copy(update={"device": device})
    told = shared_run(config.model_copy(update={"targets": (target,)}))
    assert [target.device for target in told.targets] == [shared]
