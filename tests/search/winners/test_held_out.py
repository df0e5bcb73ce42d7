"""Which pictures of the test part are shown, and the file that keeps the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from foundation.checked_document import with_checksum
from foundation.errors import UserError
from search.run_folder import RunFolder
from search.winners import held_out
from search.winners.held_out import _chosen, keep_held_out
from search.winners.held_out_record import (
    HeldOutRecord,
    ShownPicture,
    read_held_out_record,
    write_held_out_record,
)
from segmentation.data.registry import open_source
from segmentation.outcome_sheet import Outcome
from segmentation.part_scores import PictureScore, Prediction, part_scores
from segmentation.reliability import ReliabilityBin

RECORD = HeldOutRecord(
    weights_sha256="0" * 64,
    classes=("background", "person"),
    size=(64, 48),
    pictures=3,
    boundary_f1=None,
    confusion=((90, 10), (0, 100)),
    calibration=(ReliabilityBin(pixels=200, mean_probability=0.5, observed_share=0.5),),
    shown=(ShownPicture(rank="best", iou=1),),
)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [("best", 0)]),
        (2, [("best", 1), ("worst", 0)]),
        (3, [("best", 2), ("median", 1), ("worst", 0)]),
        (50, [("best", 49), ("best", 48), ("median", 24), ("worst", 2), ("worst", 1), ("worst", 0)]),
    ],
)
def test_best_median_and_worst_pictures(count: int, expected: list[tuple[str, int]]) -> None:
    """Number 0 is the worst."""
    scores = [PictureScore(index, f"{index}.jpg", index / 100) for index in range(count)]
    assert [(rank, score.index) for rank, score in _chosen(scores)] == expected


def test_the_sheet_without_photographs_has_no_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions: dict[bool, list[str]] = {}

    def noted(outcomes: Sequence[Outcome], *, photographs: bool = True) -> bytes:
        captions[photographs] = [one.caption for one in outcomes]
        return b"png"

    monkeypatch.setattr(held_out, "outcome_sheet", noted)
    folder = RunFolder(tmp_path)
    (tmp_path / "winners").mkdir()
    folder.training("net").write_bytes(b"weights")
    source = open_source("synthetic:20", size=(32, 32))

    def predict(picture: NDArray[np.uint8]) -> Prediction:
        return Prediction(np.zeros(picture.shape[:2], np.uint8))

    scores = replace(
        part_scores(predict, source.test, source.classes), pictures=(PictureScore(0, "/home/ann/ann.jpg", 0.5),)
    )
    keep_held_out(folder, "net", predict, source, scores)
    assert captions == {True: ["best: mean IoU 0.500, ann.jpg"], False: ["best: mean IoU 0.500"]}


def test_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "winners" / "x_test.json"
    assert read_held_out_record(path) is None
    path.parent.mkdir()
    write_held_out_record(path, RECORD)
    assert read_held_out_record(path) == RECORD
    assert RECORD.quality.iou_per_class == (pytest.approx(90 / 100), pytest.approx(100 / 110))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"confusion": [[1, 2]]}, "not as many rows"),
        ({"confusion": [[1, -2], [0, 1]]}, "confusion"),
        ({"pictures": 0}, "pictures"),
        ({"shown": []}, "shown"),
        ({"shown": [{"rank": "good", "iou": 0.5}]}, "rank"),
        ({"calibration": [{"pixels": 1, "mean_probability": 2, "observed_share": 0}]}, "mean_probability"),
        ({"more": 1}, "more"),
    ],
)
def test_other_content_is_refused_in_one_line(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    path = tmp_path / "x_test.json"
    path.write_text(json.dumps(with_checksum(RECORD.model_dump(mode="json") | change)))
    with pytest.raises(UserError, match="run `latseg evaluate` again") as error:
        read_held_out_record(path)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=expected):
        HeldOutRecord.model_validate_json(json.dumps(RECORD.model_dump(mode="json") | change))


def test_a_changed_value_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x_test.json"
    write_held_out_record(path, RECORD)
    path.write_text(path.read_text().replace('"pictures": 3', '"pictures": 4'))
    with pytest.raises(UserError, match="checksum"):
        read_held_out_record(path)
