from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.bundle.parity_sample import noise_picture, smooth_picture
from export.bundle.preprocess import normalise
from export.mask_agreement import mean_iou
from export.parity import Parity, check_parity
from export.to_onnx import export_onnx
from tests.export.runtime_device import RuntimeDevice
from tests.export.small_network import HEIGHT, MEAN, STD, WIDTH, small_network

PICTURES = [noise_picture(HEIGHT, WIDTH, 0), smooth_picture(HEIGHT, WIDTH, 0)]
infer = RuntimeDevice().infer


def test_float_file_agrees(tmp_path: Path) -> None:
    path = export_onnx(small_network(), tmp_path / "m.onnx", height=HEIGHT, width=WIDTH)
    parity = check_parity(small_network().train(), path, infer, [normalise(p, MEAN, STD) for p in PICTURES])
    assert parity.ok
    assert parity.max_abs is not None
    assert parity.max_abs < 1e-5
    assert parity.inputs == 2


def test_uint8_file_agrees(tmp_path: Path) -> None:
    path = export_onnx(
        small_network(), tmp_path / "m.onnx", height=HEIGHT, width=WIDTH, uint8_input=True, mean=MEAN, std=STD
    )
    images = [picture[None] for picture in PICTURES]
    parity = check_parity(small_network(), path, infer, images, mean=MEAN, std=STD)
    assert parity.ok
    assert parity.max_abs is None
    assert not check_parity(small_network(), path, infer, images).ok  # not normalised


def test_file_of_another_network_does_not(tmp_path: Path) -> None:
    path = export_onnx(small_network(seed=1), tmp_path / "m.onnx", height=HEIGHT, width=WIDTH)
    assert not check_parity(small_network(), path, infer, [normalise(p, MEAN, STD) for p in PICTURES]).ok


def test_other_number_of_classes_does_not(tmp_path: Path) -> None:
    path = export_onnx(small_network(3), tmp_path / "m.onnx", height=HEIGHT, width=WIDTH)
    parity = check_parity(small_network(2), path, infer, [normalise(PICTURES[0], MEAN, STD)])
    assert parity.max_abs == float("inf")
    assert not parity.ok


@pytest.mark.parametrize(
    ("parity", "ok"),
    [
        (Parity(1e-4, 1.0, 1), True),
        (Parity(1e-2, 1.0, 1), False),
        (Parity(float("nan"), 1.0, 1), False),
        (Parity(1e-4, 0.9, 1), False),
        (Parity(None, 1.0, 1), True),
    ],
)
def test_tolerance(parity: Parity, ok: bool) -> None:
    assert parity.ok is ok


def test_mean_iou_by_hand() -> None:
    truth, guess = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    assert mean_iou([truth], [guess]) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert mean_iou([truth], [truth]) == 1
    assert mean_iou([truth], [guess.T]) == 0
    assert mean_iou([truth, np.array([2])], [truth, np.array([2])]) == 1


def test_smooth_picture_looks_like_a_photograph() -> None:
    """Neighbours alike, yet the whole range: what noise is not."""
    smooth = smooth_picture(64, 64, 3).astype(float)
    assert np.abs(np.diff(smooth, axis=1)).mean() < 10
    assert smooth.std() > 15
    assert np.abs(np.diff(noise_picture(64, 64, 3).astype(float), axis=1)).mean() > 60
