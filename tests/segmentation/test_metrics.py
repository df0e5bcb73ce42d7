import json

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from segmentation.losses import IGNORE
from segmentation.metrics import ConfusionMatrix, Quality


def _maps(classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (3, 9, 7), generator=generator)
    noise = torch.randint(classes, (3, 9, 7), generator=generator)
    predicted = torch.where(torch.rand(3, 9, 7, generator=generator) < 0.4, noise, target)
    return predicted, target


def test_scores_are_sklearns() -> None:
    predicted, target = _maps()
    matrix = ConfusionMatrix(4)
    for image in range(3):
        matrix.update(predicted[image], target[image])
    truth, guess = target.flatten().numpy(), predicted.flatten().numpy()
    scores = matrix.quality(3)
    np.testing.assert_allclose(np.array(scores.iou_per_class, float), jaccard_score(truth, guess, average=None))
    np.testing.assert_allclose(np.array(scores.f1_per_class, float), f1_score(truth, guess, average=None))
    assert scores.mean_iou == pytest.approx(jaccard_score(truth, guess, average="macro"))
    assert scores.mean_f1 == pytest.approx(f1_score(truth, guess, average="macro"))
    assert scores.pixel_accuracy == pytest.approx(accuracy_score(truth, guess))


def test_unlabelled_pixels_do_not_count() -> None:
    predicted, target = _maps()
    whole, half = ConfusionMatrix(4), ConfusionMatrix(4)
    half.update(predicted[:, :4], target[:, :4])
    target[:, 4:] = IGNORE
    whole.update(predicted, target)
    np.testing.assert_array_equal(whole.counts, half.counts)
    assert half.counts.sum() == 3 * 4 * 7


def test_absent_classes_have_no_score_and_confused_ones_score_zero() -> None:
    matrix = ConfusionMatrix(4)
    matrix.update(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 2, 0]))
    scores = matrix.quality(1)
    assert scores.iou_per_class == (0.5, 0.0, 0.0, None)
    assert scores.f1_per_class[3] is None
    assert scores.mean_iou == pytest.approx(0.5 / 3)


def test_nothing_counted_scores_zero() -> None:
    quality = ConfusionMatrix(2).quality(0)
    assert (quality.mean_iou, quality.pixel_accuracy, quality.foreground_iou) == (0, 0, 0)


def test_quality_survives_json() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]))
    quality = matrix.quality(1)
    assert TypeAdapter(Quality).validate_json(json.dumps(quality.to_json())) == quality
    assert quality.foreground_iou == 0.5
