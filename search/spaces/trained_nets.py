"""What is known of a space before any search: nets that were all trained alike, and how good each one became."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from search.architecture import Architecture


@dataclass(frozen=True, slots=True)
class TrainedNets:
    """The evaluator ``pretrained`` compares all nets of the space by these."""

    nets: tuple[Architecture, ...] = ()
    qualities: tuple[float, ...] = ()
    """Of each net, from 0 to 1."""
    gain_per_doubling: float = 0.0
    """What a net gains in quality where its input has twice as many pixels."""

    def with_net(self, net: Architecture, quality: float) -> TrainedNets:
        """One net more."""
        return TrainedNets((*self.nets, net), (*self.qualities, quality), self.gain_per_doubling)

    @property
    def sha256(self) -> str:
        """Of all that is known."""
        known = [[(net.id, quality) for net, quality in zip(self.nets, self.qualities, strict=True)]]
        return hashlib.sha256(json.dumps([*known, self.gain_per_doubling]).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """As JSON."""
        nets = [
            {"quality": quality, **json.loads(net.to_json())}
            for net, quality in zip(self.nets, self.qualities, strict=True)
        ]
        path.write_text(json.dumps({"gain_per_doubling": self.gain_per_doubling, "nets": nets}, indent=None) + "\n")

    @classmethod
    def read(cls, path: Path) -> TrainedNets:
        """Reads what ``write`` wrote; a file of the package, which is as it was built."""
        document = json.loads(path.read_text())
        nets = (Architecture(net["space"], tuple(net["choices"].items())) for net in document["nets"])
        return cls(tuple(nets), tuple(net["quality"] for net in document["nets"]), document["gain_per_doubling"])
