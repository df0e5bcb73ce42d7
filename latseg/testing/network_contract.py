"""The conformance suite of known networks. Subclass it, name the class ``Test...``, and say how to make the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from export.parity import Array, Example, check_parity, torch_outputs
from export.source import INPUT_NAME, LOGITS_NAME
from export.to_onnx import export_module
from segmentation.baselines.baseline import Baseline
from segmentation.losses import segmentation_loss

SIZES = ((64, 96), (97, 131))
"""Height and width: multiples of 32, and odd numbers."""


def pictures(size: tuple[int, int], count: int = 2) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def run_file(path: Path, inputs: Mapping[str, Array]) -> list[Array]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(inputs)))


class NetworkContract(ABC):
    """The contract of ``segmentation.baselines.baseline.Baseline``."""

    @abstractmethod
    def make_network(self, classes: int) -> Baseline:
        """The network under test; small options make the suite fast."""

    @pytest.mark.parametrize("size", [*SIZES, (33, 20)])
    @pytest.mark.parametrize("training", [False, True])
    def test_logits_have_the_size_of_the_image(self, size: tuple[int, int], training: bool) -> None:
        network = self.make_network(3).train(training)
        with torch.no_grad():
            logits = network(pictures(size))
        assert logits.shape == (2, 3, *size)
        assert torch.isfinite(logits).all()

    @pytest.mark.parametrize("size", SIZES)
    def test_gradients_reach_every_parameter(self, size: tuple[int, int]) -> None:
        network = self.make_network(2).train()
        target = torch.randint(0, 2, (2, *size), generator=torch.Generator().manual_seed(1))
        segmentation_loss(network(pictures(size)), target).backward()  # type: ignore[no-untyped-call]
        without = [
            name
            for name, parameter in network.named_parameters()
            if parameter.grad is None or not torch.isfinite(parameter.grad).all() or not parameter.grad.any()
        ]
        assert without == []

    def test_a_forward_pass_uses_no_random_numbers(self) -> None:
        network = self.make_network(2).train()
        again = deepcopy(network)
        first = network(pictures(SIZES[0]))
        torch.rand(1)
        torch.testing.assert_close(again(pictures(SIZES[0])), first, rtol=0, atol=0)

    @pytest.mark.parametrize(("size", "dynamic"), [(SIZES[0], False), (SIZES[1], True)])
    def test_the_exported_file_computes_the_same(self, size: tuple[int, int], dynamic: bool, tmp_path: Path) -> None:
        """Where height and width are open, also on a picture of twice the height."""
        network = self.make_network(3)
        with torch.no_grad():
            network.train()(pictures(size))  # statistics that are not those of a fresh network
        network.eval()
        axes = {name: {2: "height", 3: "width"} for name in (INPUT_NAME, LOGITS_NAME)} if dynamic else None
        example = {INPUT_NAME: torch.zeros(1, 3, *size)}
        path = export_module(network, tmp_path / "model.onnx", example, dynamic_axes=axes)
        sides = onnx.load(path).graph.output[0].type.tensor_type.shape.dim
        assert [side.dim_value for side in sides] == [1, 3, *((0, 0) if dynamic else size)]  # 0: open
        for shape in (size, (2 * size[0], size[1])) if dynamic else (size,):
            inputs = {INPUT_NAME: np.asarray(pictures(shape, 1))}
            parity = check_parity(path, [Example(inputs, torch_outputs(network, inputs))], run_file)
            assert parity.ok, (shape, parity)
