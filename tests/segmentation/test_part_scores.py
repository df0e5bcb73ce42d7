"""Scores of a part of a data source."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.source import Pair, PairDataset
from segmentation.part_scores import Prediction, part_scores

CLASSES = ("background", "person", "hat")


class Halves(PairDataset):
    """The left half is a person. Pair ``n`` tells by its grey level that ``n`` columns of it are to be missed."""

    def __init__(self, count: int) -> None:
        super().__init__((4, 20))
        self.count = count

    @override
    def __len__(self) -> int:
        return self.count

    @override
    def identity(self, index: int) -> str:
        return f"pair {index}"

    @override
    def make(self, index: int) -> Pair:
        mask = np.zeros((4, 20), np.uint8)
        mask[:, :10] = 1
        mask[0] = 255
        return np.full((4, 20, 3), index, np.uint8), mask


def missing(image: NDArray[np.uint8]) -> Prediction:
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[:, : 10 - int(image[0, 0, 0])] = 1
    return Prediction(mask)


def test_counts_run_over_all_pictures() -> None:
    part = Halves(3)
    scores = part_scores(missing, part, CLASSES)
    hits, truth, predicted = 10 + 9 + 8, 30, 10 + 9 + 8
    person = hits / (truth + predicted - hits)
    background = 30 / (30 + 3)
    assert scores.quality.iou_per_class == (pytest.approx(background), pytest.approx(person), None)
    document = scores.to_json()
    assert document["mean_iou"] == pytest.approx((background + person) / 2)
    assert document["iou_by_class"] == {
        "background": pytest.approx(background), "person": pytest.approx(person), "hat": None,
    }  # fmt: skip
    assert document["f1_by_class"]["person"] == pytest.approx(2 * hits / (truth + predicted))
    assert document["pictures"] == 3
    assert document["confusion"] == [[90, 0, 0], [9, 81, 0], [0, 0, 0]]
    assert document["calibration"] is None
    assert not part._kept, "pairs are not kept in memory"


def test_the_worst_pictures_are_named() -> None:
    scores = part_scores(missing, Halves(8), CLASSES)
    assert [one.picture for one in scores.worst] == [f"pair {number}" for number in (7, 6, 5, 4, 3)]
    assert scores.worst[0].iou == pytest.approx((3 / 10 + 10 / 17) / 2)


def test_every_picture_has_its_score() -> None:
    scores = part_scores(missing, Halves(8), CLASSES)
    assert [one.index for one in scores.pictures] == list(range(7, -1, -1))
    assert scores.pictures[-1].iou == 1


def test_the_foreground_probability_is_compared_with_the_truth() -> None:
    def unsure(image: NDArray[np.uint8]) -> Prediction:
        return Prediction(missing(image).labels, np.full(image.shape[:2], 0.8, np.float32))

    found = part_scores(unsure, Halves(3), CLASSES).to_json()["calibration"]
    assert found["expected_calibration_error"] == pytest.approx(0.3)
    assert found["bins"] == [
        {"pixels": 180, "mean_probability": pytest.approx(0.8), "observed_share": pytest.approx(0.5)}
    ]


def test_the_boundary_score_is_the_mean_of_the_pictures() -> None:
    assert part_scores(missing, Halves(3), CLASSES).boundary_f1 == 1
    assert part_scores(missing, Halves(4), CLASSES).boundary_f1 == pytest.approx(3 / 4)


def test_a_part_without_pairs_is_refused() -> None:
    with pytest.raises(UserError, match="no pairs"):
        part_scores(missing, Halves(0), CLASSES)
