"""A known network with fresh weights, as a model to be measured or predicted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from latseg.units import Size, as_size


@dataclass(frozen=True, slots=True)
class NetworkModel:
    """A known network at one input size; its latency does not depend on its weights.

    >>> device.measure(NetworkModel("sinet", "64x64")).latency_ms > 0
    True

    Args:
        network: its name, with options after a colon: ``unet:width=32``.
        size: of the input, such as ``"128x128"``.
        classes: channels of the logits.
    """

    network: str
    size: Size
    classes: int = 2

    def __str__(self) -> str:
        return f"{self.network} at {self._sides}"

    def words(self) -> list[str]:
        """The options of a command that name it."""
        return ["--network", self.network, "--size", self._sides, "--classes", str(self.classes)]

    @property
    def _sides(self) -> str:
        return "x".join(map(str, as_size(self.size)))

    def export(self, folder: Path) -> Path:
        """Writes it as an ONNX file, as ``latseg export`` does after a training.

        Raises:
            UserError: no such network or option, or a malformed size.
        """
        from search.spaces.known_network import KnownNetwork

        space = KnownNetwork(self.classes, network=self.network, size=as_size(self.size))
        return space.export(folder / f"{re.sub(r'[^A-Za-z0-9.=]+', '-', str(self))}.onnx")
