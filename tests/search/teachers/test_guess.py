"""What is found out of a teacher from its file and a few labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foundation.errors import UserError
from foundation.progress import ignore_progress
from search.teachers.guess import Guess, guess
from search.teachers.net import TeacherNet
from search.teachers.options import read_teacher
from segmentation.data.source import DataSource
from tests.search.teachers.people import BYTES, IMAGENET, UNIT, source, teacher


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return source(tmp_path_factory.mktemp("data") / "people")


def guessed(pairs: DataSource, path: Path, given: str = "") -> Guess:
    return guess(TeacherNet(path, 1), read_teacher(f"{path}{given}"), pairs, ignore_progress)


@pytest.mark.parametrize("normalisation", [UNIT, IMAGENET, ((0.5,) * 3, (0.5,) * 3), BYTES])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_normalisation_and_order_of_colours(
    pairs: DataSource, tmp_path: Path, normalisation: Any, channels: str
) -> None:
    found = guessed(pairs, teacher(tmp_path / "net.onnx", normalisation=normalisation, channels=channels))
    form = found.forms.input
    assert (form.mean, form.std, form.channels) == (*normalisation, channels)
    assert found.mean_iou > 0.99


@pytest.mark.parametrize(
    ("net", "values", "person"),
    [
        ({"head": "logits", "classes": 21, "person": 15}, "logits", ((15,),)),
        ({"head": "probabilities"}, "probabilities", ((1,),)),
        ({"head": "probabilities", "person": 0}, "probabilities", ((0,),)),
        ({"head": "one"}, "probabilities", ((1,),)),
        ({"head": "one logit"}, "logits", ((1,),)),
        ({"head": "numbers", "classes": 21, "person": 15}, "classes", ((15,),)),
    ],
)
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_outputs(pairs: DataSource, tmp_path: Path, net: dict[str, Any], values: str, person: Any, layout: str) -> None:
    found = guessed(pairs, teacher(tmp_path / "net.onnx", layout=layout, **net))
    assert found.forms.input.layout == layout
    assert (found.forms.output.values, found.forms.output.groups) == (values, person)
    assert ("person" in found.options(2)) == (not net["head"].startswith("one"))
    assert found.channels == (1 if net["head"] in ("one", "one logit", "numbers") else net.get("classes", 2))
    assert found.mean_iou > 0.99


def test_free_size_is_that_of_the_data_or_the_one_given(pairs: DataSource, tmp_path: Path) -> None:
    path = teacher(tmp_path / "net.onnx", size="side", shrink=2)
    assert guessed(pairs, path).forms.input.size == (32, 32)
    given = guessed(pairs, path, ":size=64x96")
    assert given.forms.input.size == (64, 96)
    assert given.map_size == (32, 48)


def test_what_the_user_gives_is_not_tried_otherwise(pairs: DataSource, tmp_path: Path) -> None:
    path = teacher(tmp_path / "net.onnx")
    found = guessed(pairs, path, ":channels=bgr,mean=0.1/0.2/0.3,std=0.5,person=0,values=logits,output=0")
    form = found.forms.input
    assert (form.channels, form.mean, form.std) == ("bgr", (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    assert found.forms.output.groups == ((0,),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (":size=64x64", "size: got 64x64; expected 32x32"),
        (":classes=0/1", "got the key classes for data with 2 classes; expected the key person"),
        (":person=7", "got no output that is a map of classes; expected a net that finds the person"),
        (":output=3", "got no output that is a map of classes"),
    ],
)
def test_what_does_not_fit_the_net(pairs: DataSource, tmp_path: Path, given: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        guessed(pairs, teacher(tmp_path / "net.onnx"), given)
