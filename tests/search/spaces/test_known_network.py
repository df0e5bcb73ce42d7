"""A known network as a space of one architecture."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from foundation.errors import UserError
from latseg.testing.space_contract import check_lowering
from search.architecture import Architecture
from search.spaces.known_network import KnownNetwork
from search.spaces.registry import is_network, open_nets

SPACE = KnownNetwork(3, network="unet:width=2", size=(33, 20))
ONLY = SPACE.architecture


def test_lowering_equals_the_exported_net(tmp_path: Path) -> None:
    check_lowering(SPACE, "synthetic:4", ONLY, tmp_path)


def test_there_is_one_architecture() -> None:
    rng = Random(0)
    found = [*SPACE.sample(2, rng), *SPACE.smallest(), SPACE.mutate(ONLY, rng), SPACE.crossover(ONLY, ONLY, rng)]
    assert set(found) == {ONLY}
    assert SPACE.size() == 1
    assert SPACE.smaller(ONLY) == []
    SPACE.validate(ONLY)
    assert [slot.name for slot in SPACE.slots] == [name for name, _ in ONLY.choices]
    for other in (ONLY.replaced({"height": 34}), Architecture("unet", ONLY.choices)):
        with pytest.raises(UserError, match="architecture"):
            SPACE.validate(other)


def test_network_options_and_size_make_another_architecture() -> None:
    wider = KnownNetwork(3, network="unet:width=3", size=(33, 20))
    turned = KnownNetwork(3, network="unet:width=2", size=(20, 33))
    assert len({space.architecture.id for space in (SPACE, wider, turned)}) == 3
    assert wider.parameters(wider.architecture) > SPACE.parameters(ONLY)


def test_networks_and_spaces_by_name() -> None:
    assert is_network("unet:width=2")
    assert not is_network("portrait")
    assert isinstance(open_nets("unet", sizes=[(32, 32)]), KnownNetwork)
    assert not isinstance(open_nets("portrait", sizes=[(128, 128)]), KnownNetwork)
    for sizes in (None, [(32, 32), (64, 64)]):
        with pytest.raises(UserError, match="input size"):
            open_nets("unet", sizes=sizes)
