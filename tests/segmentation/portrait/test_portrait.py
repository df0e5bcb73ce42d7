from __future__ import annotations

from random import Random

import pytest

from foundation.errors import UserError
from segmentation.networks.plan import Layer, Plan
from segmentation.portrait import plan as portrait
from segmentation.portrait.slots import (
    CHOICES,
    SIZES,
    SLOT_NAMES,
    SLOTS,
    STAGE_WIDTHS,
    STAGES,
    UPSAMPLINGS,
    canonical,
    check,
    max_strided_stages,
    possible_skips,
    strides,
)

CHEAPEST = dict.fromkeys(SLOT_NAMES, 0)


def random_nets(count: int) -> list[dict[str, int]]:
    rng = Random(0)
    return [canonical({name: rng.randrange(choices) for name, choices in CHOICES.items()}) for _ in range(count)]


def chosen(**changes: int) -> dict[str, int]:
    """The cheapest net with some slots changed; ``__`` stands for the dot in a slot's name."""
    return canonical(CHEAPEST | {name.replace("__", "."): choice for name, choice in changes.items()})


def layer(plan: Plan, name: str) -> Layer:
    return next(layer for layer in plan.layers if layer.name == name)


def names(plan: Plan) -> list[str]:
    return [layer.name for layer in plan.layers]


def test_every_size_is_a_multiple_of_16_and_portrait_shapes_are_there() -> None:
    assert all(side % 16 == 0 for size in SIZES for side in size)
    assert {(128, 128), (256, 256), (256, 144), (256, 192)} <= set(SIZES)
    assert list(SIZES) == sorted(SIZES, key=lambda size: size[0] * size[1])


def test_widths_of_stages_are_disjoint() -> None:
    widths = [width for stage in STAGE_WIDTHS for width in stage]
    assert len(widths) == len(set(widths))


@pytest.mark.parametrize("net", random_nets(40))
def test_logits_have_the_size_of_the_input(net: dict[str, int]) -> None:
    check(net)
    plan = portrait.plan(net, 7)
    size = portrait.input_size(net)
    assert plan.classes == 7
    assert plan.sizes(*size)[plan.layers[-1].name] == size
    assert len(set(names(plan))) == len(plan.layers)
    total = max(strides(net).values())
    assert all(side % total == 0 for side in size)


@pytest.mark.parametrize("net", random_nets(20))
def test_resize_operators_are_those_of_the_upsampling(net: dict[str, int]) -> None:
    kinds = {layer.kind for layer in portrait.plan(net).layers}
    assert ("resize" in kinds) == (UPSAMPLINGS[net["upsampling"]] in ("bilinear", "nearest"))


@pytest.mark.parametrize("net", random_nets(20))
def test_element_wise_layers_read_equal_shapes(net: dict[str, int]) -> None:
    plan = portrait.plan(net)
    channels, sizes = plan.channels(), plan.sizes(*portrait.input_size(net))
    for layer in plan.layers:
        if layer.kind in ("add", "concat"):
            first, *others = layer.inputs
            assert all(sizes[other] in (sizes[first], (1, 1)) for other in others)
        if layer.kind in ("add", "mul"):
            assert len({channels[name] for name in layer.inputs}) == 1


def test_canonical_is_idempotent() -> None:
    for net in random_nets(50):
        assert canonical(net) == net


def test_choices_without_effect_are_zero() -> None:
    net = chosen(stage2__width=2, stage2__stride=1, stage2__dilation=1, stage3__block1=5, fusion=1, skip__stage2=1)
    assert net == canonical(CHEAPEST)


def test_dilation_without_effect_is_zero() -> None:
    strided = {"stage1__stride": 1, "stage1__dilation": 1}
    assert chosen(stage1__depth=1, **strided)["stage1.dilation"] == 0
    assert chosen(stage1__depth=2, **strided)["stage1.dilation"] == 1
    assert chosen(stage1__depth=1, stage1__dilation=1)["stage1.dilation"] == 1
    with pytest.raises(UserError, match=r"stage1.dilation = 0, as the choice has no effect"):
        check(chosen(stage1__depth=1, **strided) | {"stage1.dilation": 1})


def test_no_layer_has_both_stride_and_dilation() -> None:
    layers = [layer for net in random_nets(1000) for layer in portrait.plan(net).layers]
    assert not [layer for layer in layers if layer.stride > 1 and layer.dilation > 1]
    assert {layer.dilation for layer in layers} == {1, 2, 4}
    assert {layer.stride for layer in layers if layer.kind == "conv"} == {1, 2}


def test_skip_that_is_not_finer_than_the_end_is_dropped() -> None:
    flat = chosen(stage1__depth=1, stage2__depth=1, skip__stem=1, skip__stage1=1)
    assert flat["skip.stem"] == flat["skip.stage1"] == 0
    strided = chosen(stage1__depth=1, stage2__depth=1, stage2__stride=1, skip__stem=1, skip__stage1=1)
    assert strided["skip.stem"] == strided["skip.stage1"] == 1
    assert possible_skips(strided) == ("stem", "stage1")


def test_total_stride_is_limited_by_the_size() -> None:
    everywhere = {f"stage{stage}__{part}": 1 for stage in STAGES for part in ("depth", "stride")}
    assert max(strides(chosen(**everywhere)).values()) == 32
    assert max_strided_stages((256, 144)) == 3
    narrow = chosen(size=SIZES.index((256, 144)), **everywhere)
    assert [narrow[f"stage{stage}.stride"] for stage in STAGES] == [1, 1, 1, 0, 0]


def test_a_block_is_what_its_token_says() -> None:
    net = chosen(stage2__depth=2, stage2__width=1, stage2__stride=1, stage2__dilation=1, stage2__block1=14)
    plan = portrait.plan(net | {"stage2.block1.squeeze": 1, "stage2.block1.activation": 1})
    depthwise = layer(plan, "stage2.block1.inner.depthwise")
    assert (depthwise.out_channels, depthwise.kernel, depthwise.stride, depthwise.dilation) == (6 * 8, 7, 2, 1)
    assert layer(plan, "stage2.block2.narrow.depthwise").dilation == 2
    assert depthwise.activation == "hswish"
    assert layer(plan, "stage2.block1.inner.excite").activation == "hsigmoid"
    assert layer(plan, "stage2.block1.inner.project").out_channels == 24
    assert "stage2.block1.residual" not in names(plan)
    # The second block is narrow (expansion 1) and keeps its shape, so it has a residual connection.
    assert "stage2.block2.narrow.expand" not in names(plan)
    assert layer(plan, "stage2.block2.residual").inputs == (
        "stage2.block1.inner.project",
        "stage2.block2.narrow.project",
    )


@pytest.mark.parametrize("fusion", [0, 1])
def test_decoder_works_at_the_resolutions_of_the_skips(fusion: int) -> None:
    net = chosen(
        **{f"stage{stage}__{part}": 1 for stage in (1, 2, 3) for part in ("depth", "stride")},
        skip__stem=1,
        skip__stage2=1,
        fusion=fusion,
    )
    plan = portrait.plan(net)
    sizes = plan.sizes(128, 128)
    assert sizes["decoder.entry.stage3"] == (8, 8)
    assert sizes["decoder.stage2.block1.pointwise"] == (16, 16)
    assert sizes["decoder.stem.block1.pointwise"] == sizes["head.classes"] == (64, 64)
    assert "decoder.stage1.block1.pointwise" not in names(plan)
    assert plan.channels()["decoder.stem.enlarge"] == 16
    fused = layer(plan, "decoder.stem.concat" if fusion else "decoder.stem.sum")
    assert plan.channels()[fused.name] == (16 + 8 if fusion else 16)


def test_behind_the_encoder_everything_adds_to_what_is_there() -> None:
    """So the head reads the same kind of features in every net, which is what lets nets share its weights."""
    for net in random_nets(30):
        plan = portrait.plan(net)
        by_name = {layer.name: layer for layer in plan.layers}
        trunk = next(layer for layer in reversed(plan.layers) if not layer.name.startswith("head")).name
        while not trunk.startswith("decoder.entry"):
            assert by_name[trunk].kind == "add" or ".enlarge" in trunk
            trunk = by_name[trunk].inputs[0]


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_upsampling_to_full_size(upsampling: str) -> None:
    stages = {f"stage{stage}__{part}": 1 for stage in (1, 2, 3) for part in ("depth", "stride")}
    plan = portrait.plan(chosen(upsampling=UPSAMPLINGS.index(upsampling), **stages), 3)
    head = [layer for layer in plan.layers if layer.name.startswith("head")]
    expected = {
        "bilinear": ["conv", "resize"],
        "nearest": ["conv", "resize", "resize", "conv"],
        "transposed": ["conv_transpose", "conv_transpose"],
        "shuffle": ["conv", "pixel_shuffle", "conv", "pixel_shuffle"],
    }
    assert [layer.kind for layer in head] == expected[upsampling]
    assert plan.sizes(128, 128)[plan.layers[-1].name] == (128, 128)
    # Only class logits are handled at resolutions above the decoder's.
    assert {plan.channels()[layer.name] for layer in head} <= {3, 3 * 16}


@pytest.mark.parametrize("upsampling", ["transposed", "shuffle"])
def test_enlargements_without_resize_take_steps_of_four(upsampling: str) -> None:
    stages = {f"stage{stage}__{part}": 1 for stage in (1, 2, 3, 4) for part in ("depth", "stride")}
    for skip, start, sizes in (0, "head", [16, 64, 128]), (1, "decoder.stem.enlarge", [16, 64]):
        net = chosen(upsampling=UPSAMPLINGS.index(upsampling), skip__stem=skip, **stages)
        plan = portrait.plan(net, 3)
        enlarging = [layer for layer in plan.layers if layer.kind in ("conv_transpose", "pixel_shuffle")]
        large = plan.sizes(128, 128)
        assert [large[layer.name][0] for layer in enlarging if layer.name.startswith(start)] == sizes
        # Moving pixels is expensive, so a shuffle of features moves a quarter of the 16 channels.
        moved = {plan.channels()[layer.name] for layer in enlarging if layer.name.startswith("decoder")}
        assert moved == ({4 if upsampling == "shuffle" else 16} if skip else set())


def test_labels_name_the_choices() -> None:
    labels = {slot.name: slot.labels for slot in SLOTS}
    assert labels["size"][0] == "128x128"
    assert labels["stage1.block1"][14] == "k7e6"
    assert len(labels) == len(SLOTS)


def test_choices_outside_the_space_are_refused() -> None:
    net = canonical(CHEAPEST)
    check(net)
    with pytest.raises(UserError, match=r"in 0\.\.3"):
        check(net | {"stem": 4})
    with pytest.raises(UserError, match="no effect"):
        check(net | {"stage1.width": 1})
    with pytest.raises(UserError, match="slots"):
        check(dict(list(net.items())[:-1]))
    with pytest.raises(UserError, match="order"):
        check(dict(reversed(net.items())))
