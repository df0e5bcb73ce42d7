"""What a report says of the teacher that is trained for a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from latseg.report.teacher_section import _trained
from search.options import BudgetOptions, DataOptions, TrainingOptions
from search.run_config import SHIPPED_TEACHER, RunConfig
from segmentation.pretrained.weights import recipe, shipped_sha256
from segmentation.training.checkpoint import save_checkpoint

NONE = Path("no-such-file")


def config(**training: object) -> RunConfig:
    options = TrainingOptions.model_validate(training)
    return RunConfig.create(BudgetOptions(latency_ms={"simulated": 2.0}), DataOptions(source="synthetic:8"), options)


def test_the_shipped_weights_are_named() -> None:
    text = _trained(config(teacher_epochs=7), NONE)
    assert "not trained yet: it will be, in 7 passes over the data" in text
    assert shipped_sha256("teacher")[:16] in text
    assert str(recipe("teacher")["data"]) in text


def test_weights_of_another_version_and_of_runs_that_did_not_record_them() -> None:
    run = config(teacher_epochs=12)
    other = run.model_copy(update={"versions": {SHIPPED_TEACHER: "a" * 64}})
    assert "installed now has others" in _trained(other, NONE)
    assert "aaaaaaaaaaaaaaaa" in _trained(other, NONE)
    assert "weights that shipped with latseg." in _trained(run.model_copy(update={"versions": {}}), NONE)


def test_random_weights_and_no_teacher() -> None:
    assert "random weights" in _trained(config(teacher_epochs=12, pretrained=False), NONE)
    assert _trained(config(), NONE) == "The networks learned from the masks alone."


@pytest.mark.parametrize(("quality", "told"), [({"mean_iou": 0.876}, True), (None, False)])
def test_its_score_is_told_where_it_has_one(tmp_path: Path, quality: dict[str, float] | None, told: bool) -> None:
    path = tmp_path / "teacher.safetensors"
    save_checkpoint(path, {"x": torch.zeros(1)}, {"kind": "training", "quality": quality})
    text = _trained(config(teacher_epochs=12), path)
    assert ("Mean IoU 87.6 % on the validation part." in text) == told
    assert "trained for this run in 12 passes over the data" in text
