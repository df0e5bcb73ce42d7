"""What every space of published genotypes does, beside the contract of its kind."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import torch

from export.to_onnx import export_module
from latseg.testing.space_contract import PlanSpaceContract
from search.architecture import Architecture
from search.options import DataOptions, TrainingOptions
from search.spaces.genotype_space import GenotypeSpace
from search.spaces.registry import open_space
from search.tasks.task import TaskOptions
from segmentation.networks.network import Network


class GenotypeSpaceContract(PlanSpaceContract):
    """Subclass it beside a space."""

    text: ClassVar[str]
    """A genotype."""

    @abstractmethod
    def make(self, classes: int = 2, **options: Any) -> GenotypeSpace[Any]:
        """The space with these options."""

    def make_space(self, classes: int = 2) -> GenotypeSpace[Any]:
        return self.make(classes, encoder="small", sizes=((128, 128), (160, 128)))

    def small(self, agg: int) -> GenotypeSpace[Any]:
        return self.make(encoder="small", agg=agg, sizes=((128, 128),))

    def test_options_are_read_from_the_text(self) -> None:
        space = open_space(f"{self.make().name}:encoder=small,agg=16,sizes=128x128+256x256", classes=3)
        assert isinstance(space, type(self.make()))
        assert (space.encoder, space.agg) == ("small", 16)
        assert 9 * space.size() == 2 * self.make().size()
        net = space.parse(self.text)
        assert space.input_size(net) == (256, 256), "the largest"
        assert space.parameters(net) < self.make(3, encoder="small").parameters(net)

    def test_genotypes_are_read_and_written(self) -> None:
        space = self.make(encoder="small", sizes=((128, 128),))
        net = space.parse(self.text)
        assert space.parse(space.text(net)) == space.parse(net.to_json()) == net
        for net in space.sample(30, Random(1)):
            assert space.text(net).startswith("[")
            assert space.parse(space.text(net)) == net
        several = self.make_space()
        for net in several.sample(30, Random(1)):
            assert several.parse(several.text(net)) == net, "its size, too"

    def test_nets_share_the_weights_of_a_supernet(self) -> None:
        space = self.small(agg=4)
        torch.manual_seed(0)
        supernet = space.supernet(pretrained=True)
        for net in space.sample(3, Random(0)):
            plan, images = space.plan(net), torch.randn(2, 3, 64, 64)
            with torch.no_grad():
                torch.testing.assert_close(supernet.extract(plan).train()(images), supernet(images, plan))

    def test_a_net_trains_and_its_file_computes_the_same(self, tmp_path: Path) -> None:
        space = self.small(agg=8)
        module = trained(space, space.parse(self.text), tmp_path)
        axes = {"image": {2: "height", 3: "width"}, "logits": {2: "height", 3: "width"}}
        path = export_module(module, tmp_path / "net.onnx", {"image": torch.rand(1, 3, 128, 128)}, dynamic_axes=axes)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for height, width in (128, 128), (64, 160):
            image = torch.rand(1, 3, height, width)
            (found,) = session.run(None, {"image": image.numpy()})
            with torch.no_grad():
                wanted = module(image).numpy()
            assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def trained(space: GenotypeSpace[Any], net: Architecture, folder: Path) -> Network:
    training = TrainingOptions(batch_size=2, pretrained=False, threads=1, evaluation_images=2)
    task = space.make_task(TaskOptions(DataOptions(source="synthetic:8", size=(64, 64)), training))
    result = task.train(net, checkpoint=folder / "net.safetensors", epochs=1, short=True)
    assert 0 <= result.quality.value <= 1
    loaded = task.load(net, folder / "net.safetensors")
    assert isinstance(loaded, Network)
    return loaded
