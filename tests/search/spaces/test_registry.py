"""Spaces by name, and the suites on the spaces of the tests."""

from __future__ import annotations

import pytest

from foundation.errors import UserError
from latseg.testing.space_contract import SpaceContract
from search.spaces.portrait.space import PortraitSpace
from search.spaces.registry import SPACES, open_space
from tests.search.toy import ToySpace
from tests.search.vectors import VectorSpace


class TestToySpace(SpaceContract):
    data = "synthetic:4"

    def make_space(self, classes: int = 2) -> ToySpace:
        return ToySpace(classes)


class TestVectorSpace(SpaceContract):
    data = "vectors:8"

    def make_space(self, classes: int = 2) -> VectorSpace:
        return VectorSpace(classes)


def test_options_are_read_from_the_text() -> None:
    space = open_space("portrait:sizes=128x128+256x144", classes=3)
    assert isinstance(space, PortraitSpace)
    assert space.sizes == ((128, 128), (256, 144))
    assert space.classes == 3
    assert space.size() < open_space("portrait").size()
    assert 2 * open_space("portrait:no_resize=true").size() == open_space("portrait").size()


def test_sizes_given_apart() -> None:
    space = open_space("portrait", sizes=[(128, 128)])
    assert isinstance(space, PortraitSpace)
    assert space.sizes == ((128, 128),)


def test_a_space_without_sizes_refuses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = {**SPACES.builtin, "vectors": "tests.search.vectors:VectorSpace"}
    monkeypatch.setitem(SPACES.__dict__, "targets", targets)
    assert open_space("vectors:layers=2").size() == 1 + 4 + 16
    with pytest.raises(UserError, match="no such option"):
        open_space("vectors", sizes=[(128, 128)])


@pytest.mark.parametrize("text", ["garden", "portrait:colour=red", "portrait:sizes=a"])
def test_unknown_spaces_and_options_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="search space"):
        open_space(text)
