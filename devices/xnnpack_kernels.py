"""Which operators of a net the kernels of XNNPACK are.

XNNPACK tells of each kernel a name and its place in an order of its own: of the operators of the file in their order,
it leaves some out that it has fused with others, and needs several kernels for some.
"""

from __future__ import annotations

from collections.abc import Sequence

_SEVERAL, _ONE, _NONE = 1, 2, 0
"""What it is worth that a kernel belongs to an operator: further ones of the same operator count less."""
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")
_COPIED = ("CONCATENATION", "SPLIT", "SPLIT_V", "UNPACK", "PACK", "RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_ALIASES: dict[str, tuple[str, ...]] = {
    "AVERAGEPOOLING": ("AVERAGE_POOL_2D",),
    "BATCHMATRIXMULTIPLY": _CONVOLUTIONS,
    "CLAMP": ("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "MINIMUM", "MAXIMUM"),
    "CONSTANTPAD": ("PAD", "PADV2"),
    "CONVOLUTION": _CONVOLUTIONS,
    "COPY": _COPIED,
    "DECONVOLUTION": ("TRANSPOSE_CONV",),
    "DIVIDE": ("DIV",),
    "FULLYCONNECTED": _CONVOLUTIONS,
    "GLOBALAVERAGEPOOLING": ("MEAN", "AVERAGE_POOL_2D"),
    "MAXPOOLING": ("MAX_POOL_2D",),
    "MULTIPLY": ("MUL",),
    "NEGATE": ("NEG",),
    "RECIPROCALSQUAREROOT": ("RSQRT",),
    "SIGMOID": ("LOGISTIC",),
    "SLICE": ("SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V"),
    "SQUAREROOT": ("SQRT",),
    "STATICRESHAPE": _COPIED,
    "SUBTRACT": ("SUB",),
}
"""Where the names differ by more than spaces."""


def operators_of_kernels(kernels: Sequence[str], kinds: Sequence[str]) -> list[int]:
    """The operator of each kernel, by its place among ``kinds``, in the same order as the kernels.

    As many kernels as possible belong to an operator of their own; one that fits none belongs to what runs before it.
    The alignment is that of Needleman and Wunsch (1970) without a price for gaps.

    Args:
        kernels: names of XNNPACK, such as ``Convolution (NHWC, F32) IGEMM``.
        kinds: of the operators, such as ``CONV_2D``; at least one.
    """
    worth = [[_NONE] * (len(kinds) + 1) for _ in range(len(kernels) + 1)]
    fitting = [_fitting(kernel, kinds) for kernel in kernels]
    for row, fits in enumerate(fitting):
        for place, fit in enumerate(fits):
            worth[row + 1][place + 1] = max(
                worth[row + 1][place],
                worth[row][place + 1] + (_SEVERAL if fit else _NONE),
                worth[row][place] + _ONE if fit else _NONE,
            )
    return _traced(worth, fitting)


def _traced(worth: Sequence[Sequence[int]], fitting: Sequence[Sequence[bool]]) -> list[int]:
    found: list[int] = []
    row, place = len(worth) - 1, len(worth[0]) - 1
    while row:
        here, fits = worth[row][place], fitting[row - 1][place - 1]
        if place > 1 and here == worth[row][place - 1]:
            place -= 1
            continue
        found.append(place - 1)
        row -= 1
        if fits and here == worth[row][place - 1] + _ONE and place > 1:
            place -= 1
    return found[::-1]


def _fitting(kernel: str, kinds: Sequence[str]) -> list[bool]:
    name = kernel.partition("(")[0].replace(" ", "").upper()
    aliases = _ALIASES.get(name, ())
    return [kind in aliases or kind.replace("_", "") == name for kind in kinds]
