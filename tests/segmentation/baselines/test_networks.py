"""The known networks: the conformance suite on each, and their numbers of parameters against the published ones."""

from __future__ import annotations

import pytest
import torch
from typing_extensions import override

from foundation.errors import UserError
from latseg.testing.network_contract import NetworkContract
from segmentation.baselines.baseline import Baseline
from segmentation.baselines.mobilenet_v2 import MobileNetV2
from segmentation.baselines.mobilenet_v3 import MobileNetV3Large
from segmentation.baselines.registry import NETWORKS, open_network
from segmentation.data.registry import open_source
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train


class TestUNet(NetworkContract):
    @override
    def make_network(self, classes: int) -> Baseline:
        return open_network("unet:width=4", classes)


class TestDeepLabV3(NetworkContract):
    @override
    def make_network(self, classes: int) -> Baseline:
        return open_network("deeplabv3", classes)


class TestLrAspp(NetworkContract):
    @override
    def make_network(self, classes: int) -> Baseline:
        return open_network("lraspp", classes)


class TestSiNet(NetworkContract):
    @override
    def make_network(self, classes: int) -> Baseline:
        return open_network("sinet", classes)


class TestPortraitNet(NetworkContract):
    @override
    def make_network(self, classes: int) -> Baseline:
        return open_network("portraitnet", classes)


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("text", "classes", "exactly", "published", "tolerance"),
    [
        ("unet", 2, 31_037_698, 31.0e6, 0.05e6),  # quoted to three digits
        ("unet:width=32", 2, 7_763_074, 7.76e6, 0.005e6),  # arXiv 1807.10165
        ("deeplabv3", 21, 11_025_477, 11_029_328, 3_851),  # torchvision's has an auxiliary output of 3,851 parameters
        ("lraspp", 21, 3_221_538, 3_221_538, 0),  # torchvision
        ("sinet", 2, 86_910, 86.9e3, 50),  # arXiv 1911.09099: 86.9 K
        ("portraitnet", 2, 2_079_672, 2.1e6, 0.05e6),  # arXiv 1911.09099, of PortraitNet: 2.1 M
    ],
)
def test_as_many_parameters_as_published(
    text: str, classes: int, exactly: int, published: float, tolerance: float
) -> None:
    with torch.device("meta"):
        counted = parameters(open_network(text, classes))
    assert counted == exactly
    assert abs(counted - published) <= tolerance


def test_parameters_of_the_encoders() -> None:
    with torch.device("meta"):
        assert parameters(MobileNetV2()) == 1_811_712
        assert parameters(MobileNetV3Large()) == 2_971_952


def test_every_network_has_the_suite() -> None:
    tested = {type(suite().make_network(2)) for suite in NetworkContract.__subclasses__()}
    assert {NETWORKS.get(name) for name in NETWORKS.builtin} <= tested


@pytest.mark.parametrize("text", ["vgg", "unet:depth=3", "unet:width=0", "sinet:width=3"])
def test_unknown_networks_and_options_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="network"):
        open_network(text)


@pytest.mark.parametrize("name", NETWORKS.builtin)
def test_trains(name: str) -> None:
    """The moving average takes its first steps away from the initial weights, and is evaluated."""
    torch.manual_seed(0)
    network = open_network("unet:width=2" if name == "unet" else name)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    settings = TrainSettings(input_size=(33, 47), steps=2, batch_size=2, threads=1)
    result = train(network, open_source("synthetic:8", size=(48, 64)), settings)
    assert 0 <= result.quality.mean_iou <= 1
    assert all(not after.equal(earlier) for after, earlier in zip(network.parameters(), before, strict=True))
