"""Known networks by name. Importing this module does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from segmentation.baselines.baseline import Baseline

NETWORKS: Registry[Baseline] = Registry(
    kind="network",
    group="latseg.networks",
    base="segmentation.baselines.baseline:Baseline",
    builtin={
        "unet": "segmentation.baselines.unet:UNet",
        "deeplabv3": "segmentation.baselines.deeplabv3:DeepLabV3",
        "lraspp": "segmentation.baselines.lraspp:LrAspp",
        "sinet": "segmentation.baselines.sinet:SiNet",
        "portraitnet": "segmentation.baselines.portraitnet:PortraitNet",
    },
)


def open_network(text: str, classes: int = 2) -> Baseline:
    """The network that ``NAME[:KEY=VALUE,...]`` names, with fresh weights.

    Raises:
        UserError: no such network, or options that it does not take.
    """
    network, options = NETWORKS.parse(text)
    return network(classes, **options)
