from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from foundation.errors import UserError
from foundation.progress import ignore_progress
from search.run_context import RunContext
from search.run_folder import RunFolder
from search.tasks.task import Quality
from search.trial import DeviceResult
from search.winners.trained_record import keep_trained_record, read_trained_record
from search.winners.training import train_net
from tests.search.test_trials import make_trials


def test_a_net_that_the_device_rejected_is_not_trained() -> None:
    result = DeviceResult("cpu", 3.1, (3.0, 3.2), holds=False, reason="above the budget of 3 ms")
    rejected = replace(make_trials(1)[0], results=(result,))
    with pytest.raises(UserError, match="rejected by measurement \\(cpu: above the budget of 3 ms\\)"):
        train_net(cast("RunContext", None), rejected)


@pytest.mark.parametrize("weights_are_there", [True, False])
def test_an_interrupted_training_says_nothing_of_its_quality(tmp_path: Path, weights_are_there: bool) -> None:
    """The record of an earlier training stays as long as there are weights of it."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    folder, (trial,) = RunFolder(tmp_path), make_trials(1)
    record = folder.trained_record(trial.id)
    record.parent.mkdir()
    keep_trained_record(record, Quality({"accuracy": 0.8}, "accuracy", 5))
    if weights_are_there:
        folder.training(trial.id).touch()
    context = SimpleNamespace(folder=folder, task=SimpleNamespace(train=interrupted), on_progress=ignore_progress)
    with pytest.raises(KeyboardInterrupt):
        train_net(cast("RunContext", context), trial)
    assert (read_trained_record(record) is not None) == weights_are_there


def test_what_is_no_number_is_not_kept(tmp_path: Path) -> None:
    keep_trained_record(tmp_path / "x.json", Quality({"accuracy": float("nan")}, "accuracy", 5))
    assert read_trained_record(tmp_path / "x.json") is None
