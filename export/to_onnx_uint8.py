"""An ONNX file that takes photographs as they are and answers with class numbers. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from typing_extensions import override

from export.bundle.manifest import BundleFile
from export.source import INPUT_NAME, Source
from export.to_onnx import OpsetExporter, export_module

MASK_NAME = "mask"


class Uint8OnnxExporter(OpsetExporter):
    """Normalisation, network and arg-max in one file.

    ``image`` uint8 1 x height x width x 3 (RGB); ``mask`` uint8 1 x height x width of class numbers.
    """

    format = "onnx-uint8"
    file_name = "model_uint8.onnx"
    input = "pixels"
    note = "uint8 pixels in, class numbers out"

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        normalisation = source.require_pictures(self.format).normalisation
        export_module(
            Uint8Network(source.module, normalisation.mean, normalisation.std),
            folder / self.file_name,
            {INPUT_NAME: torch.zeros(1, *source.size, 3, dtype=torch.uint8)},
            outputs=(MASK_NAME,),
            opset=self.opset,
        )
        return self.entry(folder)


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
