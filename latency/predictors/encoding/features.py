"""The features of one operator: its family, its categories and its sizes on a logarithmic scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, log1p, prod

from latency.operators.operator import AttributeValue, Operator, Shape

_WORK = ("log_flops", "log_bytes_read", "log_bytes_written")
_SIDES = ("log_channels_in", "log_height_in", "log_width_in", "log_channels_out", "log_height_out", "log_width_out")
NUMERIC_NAMES: tuple[str, ...] = (
    *_WORK,
    "log_parameters",
    "log_intensity",
    *_SIDES,
    "log_channels_per_group",
    "log_kernel_area",
    "log_stride_area",
    "log_dilation",
    "inputs",
    "log_waste_in_8",
    "log_waste_in_16",
    "log_waste_out_8",
    "log_waste_out_16",
    "aligned_in_4",
    "aligned_in_8",
    "aligned_in_16",
    "aligned_out_4",
    "aligned_out_8",
    "aligned_out_16",
    "log_output_positions",
    "width_out_beyond_8",
    "in_below_8",
    "in_below_16",
    "tiles_in_24",
    "tiles_out_24",
)
"""``waste``: channels added by rounding up to the vector width, which blocked layouts compute as well. Runtimes use
another layout where channels are not ``aligned``, and read inputs of fewer channels than a block (``in_below``) as they
are (ONNX Runtime's ``nchwc_transformer.cc``): one of four channels takes far less than its sizes let expect. ``tiles``:
whether the positions are whole tiles of a matrix kernel; with MNN on AVX2, what follows such a convolution takes up to
nine times as long (``benchmarks/tiles.py``)."""

_TILE = 24

OLDEST_NUMERIC = NUMERIC_NAMES.index("in_below_8")
"""Stored predictors have at least so many of the names, the first ones: further names are only ever appended."""

SIZED = tuple(NUMERIC_NAMES.index(name) for name in (*_WORK, *_SIDES))
"""The sizes whose measured range decides whether an operator counts as seen."""

_TOLD_BY_SIZES = {
    "Slice": ("constant_1", "constant_2"),
    "Pad": ("constant_1",),
    "Expand": ("constant_1",),
    "Tile": ("constant_1",),
}
"""Settings that decide how much is read and written; where a Slice begins costs nothing."""

_KNOWN = 2**16
"""Operators whose features are kept: several predictors in turn ask for the same ones."""

_NAMED = ("kernel", "strides", "mode")
"""Properties that make operators of a family different ones."""


@dataclass(frozen=True, slots=True)
class Features:
    """One operator as predictors read it."""

    family: str
    """Kind, and for convolutions how they use channels (dense, depthwise, ...), since their costs differ."""
    categories: tuple[str, ...]
    """Properties without an order: kind, family, kernel, stride, activation, mode..."""
    numeric: tuple[float, ...]
    """In the order of ``NUMERIC_NAMES``."""
    key: str
    """The properties that decide an operator's cost: family, kernel, strides, mode."""


@lru_cache(maxsize=_KNOWN)
def features(operator: Operator) -> Features:
    """Describes an operator of any kind; shapes that are not batch x channels x height x width are padded with ones."""
    kernel = _pair(operator.attribute("kernel", (1, 1)))
    family = _family(operator, kernel)
    categories = _categories(operator, family)
    return Features(family, categories, _numeric(operator, kernel), _key(family, categories))


def _key(family: str, categories: tuple[str, ...]) -> str:
    named = (category for category in categories if category.partition("=")[0].rpartition(".")[2] in _NAMED)
    return " ".join((family, *named))


def _family(operator: Operator, kernel: tuple[int, ...]) -> str:
    group = operator.attribute("group", 0)
    if not isinstance(group, int) or group == 0 or not operator.input_shapes or len(operator.input_shapes[0]) < 2:
        return operator.kind
    channels = operator.input_shapes[0][1]
    if group > 1:
        return f"{operator.kind}/{'depthwise' if group == channels else 'grouped'}"
    if prod(kernel) > 1:
        return f"{operator.kind}/dense"
    single = prod(operator.output_shapes[0][2:]) == 1
    return f"{operator.kind}/{'vector' if single else 'pointwise'}"


def _categories(operator: Operator, family: str) -> tuple[str, ...]:
    left_out = ("group", *_TOLD_BY_SIZES.get(operator.kind, ()))
    named = [f"{operator.kind}.{name}={_text(value)}" for name, value in operator.attributes if name not in left_out]
    return (f"kind={operator.kind}", f"family={family}", *named)


def _text(value: AttributeValue) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _pair(value: AttributeValue) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (1, 1)


def _four(shapes: tuple[Shape, ...]) -> tuple[int, int, int]:
    """Channels, height and width of the largest shape."""
    shape = shapes[0] if len(shapes) == 1 else max(shapes, key=prod, default=())
    if len(shape) == 4:
        _, channels, height, width = shape
    else:
        _, channels, height, width = (*shape, 1, 1, 1, 1)[:4] if len(shape) < 4 else (*shape[:3], prod(shape[3:]))
    return max(channels, 1), max(height, 1), max(width, 1)


@lru_cache(maxsize=4096)
def _waste(channels: int) -> tuple[float, float]:
    return log(-(-channels // 8) * 8 / channels), log(-(-channels // 16) * 16 / channels)


@lru_cache(maxsize=4096)
def _aligned(channels: int) -> tuple[float, float, float]:
    return float(channels % 4 == 0), float(channels % 8 == 0), float(channels % 16 == 0)


def _numeric(operator: Operator, kernel: tuple[int, ...]) -> tuple[float, ...]:
    channels_in, height_in, width_in = _four(operator.input_shapes)
    channels_out, height_out, width_out = _four(operator.output_shapes)
    attributes = dict(operator.attributes)
    group = attributes.get("group", 1)
    groups = group if isinstance(group, int) and group > 0 else 1
    log_flops = log1p(operator.flops)
    return (
        log_flops,
        log1p(operator.bytes_read),
        log1p(operator.bytes_written),
        log1p(operator.parameters),
        log_flops - log1p(operator.bytes_read + operator.bytes_written),
        log(channels_in),
        log(height_in),
        log(width_in),
        log(channels_out),
        log(height_out),
        log(width_out),
        log(max(channels_in / groups, 1)),
        log(max(prod(kernel), 1)),
        log(max(prod(_pair(attributes.get("strides", (1, 1)))), 1)),
        log(max(max(_pair(attributes.get("dilations", (1, 1))), default=1), 1)),
        float(len(operator.input_shapes)),
        *_waste(channels_in),
        *_waste(channels_out),
        *_aligned(channels_in),
        *_aligned(channels_out),
        log(height_out * width_out),
        (width_out % 8) / 8,
        float(channels_in < 8),
        float(channels_in < 16),
        float(height_in * width_in % _TILE == 0),
        float(height_out * width_out % _TILE == 0),
    )
