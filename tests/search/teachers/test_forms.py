"""From a net's output to probabilities of the data's classes."""

from __future__ import annotations

import numpy as np
import pytest

from search.teachers.forms import Forms, InputForm, OutputForm, forms_of, planes_of
from search.teachers.guess import given_groups
from search.teachers.label_counts import best_groups, label_counts, mean_iou
from search.teachers.options import read_teacher, written

NCHW = InputForm((64, 64), "nchw", "rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
NHWC = InputForm((64, 96), "nhwc", "bgr", (0.5, 0.4, 0.3), (0.25, 0.25, 0.25))


@pytest.mark.parametrize(
    ("shape", "form", "channels"),
    [
        ((1, 21, 16, 16), NCHW, 21),
        ((1, 150, 32, 32), NCHW, 150),
        ((1, 32, 32, 32), NCHW, 32),
        ((1, 32, 48, 5), NHWC, 5),
        ((1, 5, 32, 48), NHWC, 5),
        ((1, 32, 48), NHWC, 1),
        ((32, 48), NHWC, 1),
        ((1, 1000), NCHW, None),
        ((1, 3, 1, 1), NCHW, None),
        ((1, 64), NCHW, None),
        ((2, 3, 16, 16), NCHW, None),
    ],
)
def test_the_axes_of_a_map(shape: tuple[int, ...], form: InputForm, channels: int | None) -> None:
    planes = planes_of(np.zeros(shape, np.float16), form)
    assert (None if planes is None else len(planes)) == channels


def test_the_input_is_normalised_in_the_order_of_its_colours() -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[..., 0] = 255
    values = NHWC.values(picture)
    assert values.shape == (1, 64, 96, 3)
    np.testing.assert_allclose(values[0, 0, 0], [(0 - 0.3) / 0.25, (0 - 0.4) / 0.25, (1 - 0.5) / 0.25], rtol=1e-6)
    assert NCHW.values(picture[:, :64]).shape == (1, 3, 64, 64)


def test_probabilities_of_channels_that_are_joined() -> None:
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32)).reshape(4, 1, 1)
    joined = OutputForm(0, "logits", ((1, 3),)).probabilities(logits + 7)
    np.testing.assert_allclose(joined.reshape(-1), [0.4, 0.6], rtol=1e-5)
    shares = OutputForm(0, "probabilities", ((1,), (3,))).probabilities(np.exp(logits) / 2)
    np.testing.assert_allclose(shares.reshape(-1), [0.4, 0.2, 0.4], rtol=1e-5)
    one = OutputForm(0, "logits", ((1,),)).probabilities(np.full((1, 1, 1), np.log(3), np.float32))
    np.testing.assert_allclose(one.reshape(-1), [0.25, 0.75], rtol=1e-5)
    numbers = OutputForm(0, "classes", ((15, 2),)).probabilities(np.array([[[0, 15, 2, 7]]], np.float32))
    np.testing.assert_array_equal(numbers[1, 0], [0, 1, 1, 0])


def test_logits_of_any_size_are_probabilities() -> None:
    planes = np.array([-1e30, 1e30, 3e4], np.float32).reshape(3, 1, 1)
    found = OutputForm(0, "logits", ((1,),)).probabilities(planes)
    np.testing.assert_array_equal(found.reshape(-1), [0, 1])


def test_scores_have_their_largest_where_probabilities_have_it() -> None:
    planes = np.random.default_rng(0).normal(size=(4, 8, 8)).astype(np.float32)
    for groups in (((1,), (2,), (0,)), ((2, 3),), ((0,),)):
        form = OutputForm(0, "logits", groups)
        scores = form.scores(planes)
        assert len(scores) == len(groups) + 1
        np.testing.assert_array_equal(scores.argmax(0), form.probabilities(planes).argmax(0))
    one = OutputForm(0, "logits", ((1,),))
    np.testing.assert_array_equal(one.scores(planes[:1]).argmax(0), one.probabilities(planes[:1]).argmax(0))
    np.testing.assert_array_equal(OutputForm(0, "logits", ((1,), (2,), (0,))).scores(planes)[0], planes[3])


@pytest.mark.parametrize(
    ("groups", "classes", "one_channel"), [(((1,),), 2, True), (((3, 4, 9),), 2, False), (((2,), (0,)), 3, False)]
)
def test_forms_are_written_and_read(groups: tuple[tuple[int, ...], ...], classes: int, one_channel: bool) -> None:
    forms = Forms(NHWC, OutputForm(1, "logits", groups))
    text = written(forms.options(classes, one_channel=one_channel))
    options = read_teacher(f"net.onnx:{text}")
    assert forms_of(options.given, classes) == forms


def test_channels_of_many_classes_are_taken_in_their_order_or_as_named() -> None:
    mask = np.repeat(np.arange(3, dtype=np.uint8), 8)[None].repeat(6, 0)
    mask[0] = 255
    exchanged = np.array([0, 2, 1])[mask[1:]]
    labels = np.concatenate([exchanged[:1], exchanged])
    counts = label_counts(labels, mask, 3, 3)
    assert counts.sum() == 5 * 24
    assert best_groups(counts) == (pytest.approx(1 / 3), ((1,), (2,)))
    named = given_groups(read_teacher("net.onnx:classes=0/2/1"), 3)
    assert mean_iou(counts, named) == 1


def test_the_person_is_one_channel_or_all_but_one() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((12, 12), np.uint8)
    mask[3:9, 3:9] = 1
    parts = np.where(mask == 1, rng.integers(1, 5, mask.shape), 0)
    assert best_groups(label_counts(parts, mask, 2, 6)) == (1.0, ((1, 2, 3, 4, 5),))
    things = np.where(mask == 1, 4, rng.integers(0, 4, mask.shape))
    assert best_groups(label_counts(things, mask, 2, 6)) == (1.0, ((4,),))
    small = things[::2, ::2]
    assert best_groups(label_counts(small, mask, 2, 6))[1] == ((4,),)
