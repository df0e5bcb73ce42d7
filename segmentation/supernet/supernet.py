"""One set of weights for all nets of a space. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.networks.initial_weights import bilinear_kernel, initialise
from segmentation.networks.network import ACTIVATIONS, Network, compute
from segmentation.networks.plan import INPUT, Layer, Plan
from segmentation.portrait.widest import widest_plans
from segmentation.supernet.extents import MAIN, Extent, Layout, extents, layouts

_BATCH_NORM_EPSILON = 1e-5
_RESIDUAL_SCALE = 0.1
"""Initial scale of layers that only add to something, so that a rarely sampled layer does not dominate the others."""
_CLASSIFIER = "head.classes"


class Supernet(nn.Module):
    """Weight sharing by layer name: a net uses the first channels and the middle of the kernel of the largest layer.

    Batch normalisation shares scale and shift; statistics are always the batch's, since they differ between nets
    (Yu et al., arXiv 1903.05134, section 3.2). ``extract`` copies a net out, which is then to be recalibrated.

    The heads share one classifier. Pixel shuffle and transposed convolution have as many weights for each class as they
    make pixels: each is the shared 1 x 1 classifier before a plain enlargement, plus a difference of its own that
    starts at zero. So a rarely sampled head starts as good as the others.

    Args:
        classes: channels of the logits.
        plans: nets that together contain every layer at its largest; those of the ``portrait`` space by default.
    """

    def __init__(self, classes: int, plans: Iterable[Plan] | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.extents = extents(widest_plans(classes) if plans is None else plans)
        self.shared = nn.ParameterDict()
        for name, extent in self.extents.items():
            self._share(name, extent)

    def _share(self, name: str, extent: Extent) -> None:
        layer = extent.layer
        for segment, channels in extent.inputs.items():
            shape = _weight_shape(layer, channels, extent)
            weight = torch.zeros(*shape, extent.kernel, extent.kernel)
            if not self._has_classifier(layer):
                initialise(weight, layer)
            self.shared[shared_key(name, "weight", segment)] = nn.Parameter(weight)
        for segment, channels in (extent.inputs if layer.depthwise else {MAIN: extent.out_channels}).items():
            if layer.normalise:
                scale = torch.full((channels,), _RESIDUAL_SCALE if extent.residual else 1.0)
                self.shared[shared_key(name, "scale", segment)] = nn.Parameter(scale)
            if layer.normalise or layer.bias:
                self.shared[shared_key(name, "shift", segment)] = nn.Parameter(torch.zeros(channels))

    def _has_classifier(self, layer: Layer) -> bool:
        return _has_classifier_inside(layer) and _CLASSIFIER in self.extents

    def forward(self, images: Tensor, plan: Plan) -> Tensor:
        """Logits of the net ``plan`` for normalised images (float32, batch x 3 x height x width)."""
        layout_of = layouts(plan)
        tensors = {INPUT: images}
        for layer in plan.layers:
            inputs = [tensors[name] for name in layer.inputs]
            tensors[layer.name] = (
                self._convolve(inputs[0], layer, layout_of[layer.inputs[0]])
                if layer.kind in ("conv", "conv_transpose")
                else compute(layer, inputs)
            )
        return tensors[plan.layers[-1].name]

    def _convolve(self, x: Tensor, layer: Layer, layout: Layout) -> Tensor:
        weight = self.weight(layer, layout)
        shift = self.shift(layer, layout) if layer.normalise or layer.bias else None
        bias = None if layer.normalise else shift
        groups = x.shape[1] if layer.depthwise else 1
        if layer.kind == "conv_transpose":
            padding = (layer.kernel - layer.stride) // 2
            x = functional.conv_transpose2d(x, weight, bias, layer.stride, padding, groups=groups)
        else:
            padding = layer.dilation * (layer.kernel - 1) // 2
            x = functional.conv2d(x, weight, bias, layer.stride, padding, layer.dilation, groups)
        if layer.normalise:
            scale = self.scale(layer, layout)
            x = functional.batch_norm(x, None, None, scale, shift, training=True, eps=_BATCH_NORM_EPSILON)
        return x if layer.activation == "none" else cast("Tensor", ACTIVATIONS[layer.activation]()(x))

    def weight(self, layer: Layer, layout: Layout) -> Tensor:
        """The layer's slice of the shared weight; ``layout`` is that of its input."""
        margin = (self.extents[layer.name].kernel - layer.kernel) // 2
        middle = slice(margin, margin + layer.kernel)
        parts = []
        for segment, channels in layout:
            shared = self.shared[shared_key(layer.name, "weight", segment)]
            first, second = _weight_shape(layer, channels, layer)
            parts.append(shared[:first, :second, middle, middle])
        joined_along = 0 if layer.depthwise or layer.kind == "conv_transpose" else 1
        # A slice of a larger kernel is copied: convolutions train up to twice as fast on a CPU.
        weight = parts[0].contiguous() if len(parts) == 1 else torch.cat(parts, dim=joined_along)
        if not self._has_classifier(layer):
            return weight
        classifier = self.shared[shared_key(_CLASSIFIER, "weight", MAIN)][:, : layout[0][1]]
        return weight + _head_weight(layer, classifier)

    def scale(self, layer: Layer, layout: Layout) -> Tensor:
        """The layer's slice of the shared scale of batch normalisation."""
        return self._slice(layer, "scale", layout)

    def shift(self, layer: Layer, layout: Layout) -> Tensor:
        """The layer's slice of the shared shift of batch normalisation, or its bias where it has none."""
        shift = self._slice(layer, "shift", layout)
        if not self._has_classifier(layer):
            return shift
        return shift + _head_bias(layer, self.shared[shared_key(_CLASSIFIER, "shift", MAIN)])

    def _slice(self, layer: Layer, part: str, layout: Layout) -> Tensor:
        sizes = layout if layer.depthwise else ((MAIN, layer.out_channels),)
        parts = [self.shared[shared_key(layer.name, part, segment)][:channels] for segment, channels in sizes]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def extract(self, plan: Plan) -> Network:
        """The net with copies of its weights; its running statistics must then be set with ``recalibrate``."""
        network = Network(plan)
        layout_of = layouts(plan)
        with torch.no_grad():
            for layer, module in zip(plan.layers, network.layers, strict=True):
                if layer.kind in ("conv", "conv_transpose"):
                    self._copy(layer, layout_of[layer.inputs[0]], cast("nn.Sequential", module))
        return network

    def _copy(self, layer: Layer, layout: Layout, module: nn.Sequential) -> None:
        convolution = cast("nn.Conv2d", module[0])
        convolution.weight.copy_(self.weight(layer, layout))
        if layer.normalise:
            normalisation = cast("nn.BatchNorm2d", module[1])
            normalisation.weight.copy_(self.scale(layer, layout))
            normalisation.bias.copy_(self.shift(layer, layout))
        elif convolution.bias is not None:
            convolution.bias.copy_(self.shift(layer, layout))


def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Sets the running statistics of batch normalisation to the mean over ``batches`` of normalised images.

    A batch of a single picture is taken twice: of one number, which a channel of a 1 x 1 map is, there is no variance.
    Afterwards the network is in evaluation mode; nothing else of it changes. Without batches the statistics are reset.
    """
    normalisations = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [module.momentum for module in normalisations]
    for module in normalisations:
        module.reset_running_stats()
        module.momentum = None  # a plain mean over the batches instead of a moving one
    network.train()
    with torch.no_grad():
        for images in batches:
            network(images if len(images) > 1 else images.repeat(2, 1, 1, 1))
    network.eval()
    for module, momentum in zip(normalisations, momenta, strict=True):
        module.momentum = momentum


def shared_key(name: str, part: str, segment: str) -> str:
    """Key in ``Supernet.shared`` of a layer's ``weight``, ``scale`` or ``shift``."""
    # Parameters of torch cannot have a dot in their names.
    return f"{name}:{part}:{segment}".replace(".", "/")


def _weight_shape(layer: Layer, in_channels: int, size: Extent | Layer) -> tuple[int, int]:
    if layer.depthwise:
        return in_channels, 1
    if layer.kind == "conv_transpose":
        return in_channels, size.out_channels
    return size.out_channels, in_channels


def _has_classifier_inside(layer: Layer) -> bool:
    """Whether the layer is a head that contains the shared classifier."""
    return layer.name.startswith(("head.shuffle", "head.transposed"))


def _head_weight(layer: Layer, classifier: Tensor) -> Tensor:
    """The weight with which the layer equals the classifier (classes x channels x 1 x 1) before an enlargement."""
    if layer.kind == "conv_transpose":
        return classifier.transpose(0, 1) * bilinear_kernel(layer.stride).to(classifier)
    return _repeated(layer, classifier)


def _head_bias(layer: Layer, bias: Tensor) -> Tensor:
    """The bias with which the layer equals the classifier before an enlargement."""
    return bias if layer.kind == "conv_transpose" else _repeated(layer, bias)


def _repeated(layer: Layer, values: Tensor) -> Tensor:
    # Pixel shuffle makes neighbouring channels the pixels of one class.
    return values.repeat_interleave(layer.out_channels // values.shape[0], dim=0)
