"""A network that takes photographs as they are and answers with class numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Uint8Network(nn.Module):
    """Normalisation, network and arg-max in one: uint8 1 x height x width x 3 to uint8 1 x height x width."""

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
        self.register_buffer("offset", torch.tensor(mean, device=device).reshape(1, 3, 1, 1) * 255)
        self.register_buffer("factor", 1 / (torch.tensor(std, device=device).reshape(1, 3, 1, 1) * 255))
        self.offset: Tensor
        self.factor: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Class numbers of an RGB image batch x height x width x 3 (0..255), batch x height x width."""
        # Transposing bytes is cheaper than transposing floats.
        pixels = image.permute(0, 3, 1, 2).float()
        logits: Tensor = self.network((pixels - self.offset) * self.factor)
        return logits.argmax(1).to(torch.uint8)
