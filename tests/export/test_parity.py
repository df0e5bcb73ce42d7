from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.examples import make_examples, noise_picture, smooth_picture
from export.parity import Example, Parity, check_parity, mean_iou
from export.to_onnx import export_module
from export.to_onnx_uint8 import Uint8Network, Uint8OnnxExporter
from tests.export.conftest import segmentation_source
from tests.export.runtime_device import RuntimeDevice
from tests.export.small_network import HEIGHT, WIDTH, export_small, small_network

infer = RuntimeDevice().infer


def examples(network: nn.Module | None = None, **settings: object) -> list[Example]:
    return make_examples(segmentation_source(network or small_network(), **settings))


def test_float_file_agrees(tmp_path: Path) -> None:
    path = export_small(small_network(), tmp_path / "m.onnx")
    parity = check_parity(path, examples(small_network().train()), infer)
    assert parity.ok
    assert parity.max_abs is not None
    assert parity.max_abs < 1e-5
    assert parity.mask_iou == 1


def test_uint8_file_agrees(tmp_path: Path) -> None:
    source = segmentation_source(small_network())
    Uint8OnnxExporter().write(source, tmp_path)
    parity = check_parity(tmp_path / "model_uint8.onnx", make_examples(source), infer, "pixels")
    assert parity.ok
    assert parity.max_abs is None
    plain = export_module(
        Uint8Network(source.module, (0, 0, 0), (1, 1, 1)),
        tmp_path / "plain.onnx",
        {"image": torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8)},
    )
    assert not check_parity(plain, make_examples(source), infer, "pixels").ok  # not normalised


def test_file_of_another_network_does_not(tmp_path: Path) -> None:
    path = export_small(small_network(seed=1), tmp_path / "m.onnx")
    assert not check_parity(path, examples(), infer).ok


def test_other_number_of_classes_does_not(tmp_path: Path) -> None:
    path = export_small(small_network(3), tmp_path / "m.onnx")
    parity = check_parity(path, examples(small_network(2)), infer)
    assert parity.max_abs == float("inf")
    assert not parity.ok


def test_the_worst_example_counts(tmp_path: Path) -> None:
    """Also a NaN behind numbers."""
    good = examples()
    path = export_small(small_network(), tmp_path / "m.onnx")
    for wrong in (0.5, float("nan")):
        bad = replace(good[1], outputs=(good[1].outputs[0] + wrong,))
        for order in ([good[0], bad], [bad, good[0]]):
            parity = check_parity(path, order, infer)
            assert not parity.ok
            assert parity.max_abs == pytest.approx(wrong, abs=1e-4, nan_ok=True)


def test_every_photograph_is_an_example() -> None:
    photograph = np.full((50, 70, 3), 200, np.uint8)
    found = examples(photographs=[photograph, photograph])
    assert len(found) == 4
    assert found[2].pixels is not None
    assert np.median(found[2].pixels) == 200


def test_seed_changes_the_pictures() -> None:
    first, second = examples(seed=1), examples(seed=2)
    for a, b in zip(first, second, strict=True):
        assert not np.array_equal(a.inputs["image"], b.inputs["image"])


@pytest.mark.parametrize(
    ("parity", "ok"),
    [
        (Parity(1e-4, 1.0), True),
        (Parity(1e-2, 1.0), False),
        (Parity(float("nan"), 1.0), False),
        (Parity(1e-4, 0.9), False),
        (Parity(None, 1.0), True),
        (Parity(1e-4, None), True),
        (Parity(1e-2, None), False),
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


def test_every_output_counts() -> None:
    outputs = (np.zeros((7, 3), np.float32), np.ones(7, np.float32))
    example = Example({"values": np.zeros((7, 4), np.float32)}, outputs)
    first, second = outputs
    assert check_parity(Path("model.onnx"), [example], lambda *_: [first + 0.5, second]).max_abs == 0.5
    assert check_parity(Path("model.onnx"), [example], lambda *_: [first, second + 0.5]).max_abs == 0.5
    assert check_parity(Path("model.onnx"), [example], lambda *_: list(outputs)).max_abs == 0
    assert check_parity(Path("model.onnx"), [example], lambda *_: list(outputs[:1])).max_abs == float("inf")
