"""The nets of the ``portrait`` space: a mobile encoder, a context module, a decoder with skips, full-size logits.

The decoder works at the resolutions of the skips: it enlarges the encoder's output to the coarsest one, fuses, runs its
blocks, and continues to the finest one. Only the class logits are then enlarged to the input's size, so that full
resolution costs little; the finest skip decides how fine the details are (the stem's has half the resolution).

After the encoder every module is a residual: context, fusions and blocks add to their input. So the head of every net
reads the same kind of features, and weights that were learned in one net fit the others
(``segmentation/supernet/supernet.py``); with plain chains a shared head learned almost nothing from the other nets.
"""

from __future__ import annotations

from collections.abc import Mapping

from segmentation.networks.plan import INPUT, Activation, Plan
from segmentation.networks.plan_builder import PlanBuilder
from segmentation.portrait import slots
from segmentation.portrait.upsampling import enlarged, full_size_logits

PYRAMID_DILATIONS = (1, 2, 4)


def input_size(choices: Mapping[str, int]) -> tuple[int, int]:
    """Height and width of the net's input."""
    return slots.SIZES[choices["size"]]


def plan(choices: Mapping[str, int], classes: int = 2) -> Plan:
    """The net's layers, from canonical choices by slot; logits: batch x classes x height x width of the input."""
    builder = PlanBuilder()
    outputs = _encoder(builder, choices)
    last, features = list(outputs.items())[-1]
    x = _context(builder, features, slots.CONTEXTS[choices["context"]])
    # Features of different stages differ in kind: each stage has its own layer into the decoder.
    x = builder.conv(f"decoder.entry.{last}", x, slots.DECODER_WIDTHS[choices["decoder.width"]])
    x, stride = _decoder(builder, x, outputs, choices)
    full_size_logits(builder, x, stride, classes, slots.UPSAMPLINGS[choices["upsampling"]])
    return builder.plan(encoder=features)


def _encoder(builder: PlanBuilder, choices: Mapping[str, int]) -> dict[str, str]:
    """Name of the output by stage, the stem included."""
    x = builder.conv("stem", INPUT, slots.STEM_WIDTHS[choices["stem"]], 3, stride=2, activation="hswish")
    outputs = {"stem": x}
    for stage in slots.STAGES:
        depth = choices[f"stage{stage}.depth"]
        for block in range(1, depth + 1):
            token, squeeze, activation = (choices[name] for name in slots.BLOCK_SLOTS[stage, block])
            kernel, expansion = slots.KERNEL_EXPANSIONS[token]
            stride = slots.STRIDES[choices[f"stage{stage}.stride"]] if block == 1 else 1
            x = builder.inverted_residual(
                f"stage{stage}.block{block}",
                x,
                slots.STAGE_WIDTHS[stage - 1][choices[f"stage{stage}.width"]],
                kernel=kernel,
                expansion=expansion,
                squeeze=bool(squeeze),
                activation=_activation(activation),
                stride=stride,
                dilation=slots.DILATIONS[choices[f"stage{stage}.dilation"]] if stride == 1 else 1,
                origin=list(outputs)[-1] if block == 1 else "",
            )
        if depth:
            outputs[f"stage{stage}"] = x
    return outputs


def _activation(choice: int) -> Activation:
    return "relu" if slots.ACTIVATIONS[choice] == "relu" else "hswish"


def _context(builder: PlanBuilder, x: str, kind: str) -> str:
    channels = builder.channels[x]
    if kind == "global_pooling":
        pooled = builder.pool("context.pool", x)
        # No batch normalisation: one number per image and channel is too little for statistics.
        pooled = builder.conv("context.pooled", pooled, channels, activation="relu", normalise=False)
        return builder.sum("context.sum", x, pooled)
    if kind == "pyramid":
        branches = [
            builder.depthwise(f"context.dilated{dilation}", x, 3, dilation=dilation) for dilation in PYRAMID_DILATIONS
        ]
        joined = builder.concat("context.concat", *branches)
        return builder.sum("context.sum", x, builder.conv("context.project", joined, channels, activation="relu"))
    return x


def _decoder(builder: PlanBuilder, x: str, outputs: dict[str, str], choices: Mapping[str, int]) -> tuple[str, int]:
    """The decoder's output and its stride."""
    stride_of = slots.strides(choices)
    stride = list(stride_of.values())[-1]
    skips = [source for source in reversed(slots.SKIPS) if choices[f"skip.{source}"]]
    if not skips:
        return _decoder_blocks(builder, "decoder.top", x, choices), stride
    for level in sorted({stride_of[source] for source in skips}, reverse=True):
        sources = [source for source in skips if stride_of[source] == level]
        name = f"decoder.{sources[0]}"
        x = enlarged(builder, f"{name}.enlarge", x, stride // level, slots.UPSAMPLINGS[choices["upsampling"]])
        for source in sources:
            x = _fuse(builder, f"decoder.{source}", x, outputs[source], slots.FUSIONS[choices["fusion"]])
        x = _decoder_blocks(builder, name, x, choices)
        stride = level
    return x, stride


def _fuse(builder: PlanBuilder, name: str, x: str, skip: str, kind: str) -> str:
    width = builder.channels[x]
    if kind == "add":
        return builder.sum(f"{name}.sum", x, builder.conv(f"{name}.lateral", skip, width))
    beside = builder.conv(f"{name}.beside", skip, width // 2, activation="relu")
    both = builder.concat(f"{name}.concat", x, beside)
    return builder.sum(f"{name}.merged", x, builder.conv(f"{name}.merge", both, width, activation="relu"))


def _decoder_blocks(builder: PlanBuilder, name: str, x: str, choices: Mapping[str, int]) -> str:
    kind = slots.DECODER_KINDS[choices["decoder.kind"]]
    for block in range(1, slots.DECODER_BLOCKS[choices["decoder.blocks"]] + 1):
        x = decoder_block(builder, f"{name}.block{block}", x, kind)
    return x


def decoder_block(builder: PlanBuilder, name: str, x: str, kind: str) -> str:
    """A residual block: ``plain`` (1 x 1), ``separable`` or ``inverted`` (expansion 2); as many channels as before.

    A separable convolution has no non-linearity between its depthwise and its pointwise half (Chollet, arXiv
    1610.02357, section 4.7), so ``plain`` is the case of a depthwise half that is the identity.
    """
    source, width = x, builder.channels[x]
    if kind == "inverted":
        x = builder.conv(f"{name}.expand", x, 2 * width, activation="relu")
        x = builder.depthwise(f"{name}.middle", x, 3)
        x = builder.conv(f"{name}.project", x, width)
    else:
        if kind == "separable":
            x = builder.depthwise(f"{name}.depthwise", x, 3, activation="none", normalise=False)
        x = builder.conv(f"{name}.pointwise", x, width, activation="relu")
    return builder.sum(f"{name}.residual", source, x)
