"""Which operators on constants are worth evaluating, and how much they write: known before anything is computed.

Only operators whose work is proportional to what they read and write are listed: no text, no products of matrices, no
convolutions. They are the ones with which exporters compute sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

Arrays = Sequence[NDArray[np.generic]]


def written_numbers(node: onnx.NodeProto, inputs: Arrays) -> int | None:
    """Upper bound of the numbers that a node writes for each output; None where the node is not to be evaluated.

    Raises:
        ArithmeticError, IndexError, TypeError, ValueError: inputs that the operator does not take.
    """
    bound = _BOUNDS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    return bound(node, inputs) if bound else None


def _as_input(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return max(int(array.size) for array in inputs)


def _broadcast(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return prod(np.broadcast_shapes(*(array.shape for array in inputs)))


def _sum(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return sum(array.size for array in inputs)


def _filled(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return prod(int(side) for side in inputs[0].reshape(-1))


def _expanded(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return prod(np.broadcast_shapes(inputs[0].shape, tuple(int(side) for side in inputs[1].reshape(-1))))


def _tiled(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return int(inputs[0].size) * prod(max(0, int(times)) for times in inputs[1].reshape(-1))


def _range(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    start, limit, step = (float(array.reshape(-1)[0]) for array in inputs)
    return max(0, int((limit - start) / step) + 1)


def _gathered(node: onnx.NodeProto, inputs: Arrays) -> int:
    data, indices = inputs[:2]
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return int(indices.size) * (int(data.size) // max(1, int(data.shape[axis])))


def _positions(node: onnx.NodeProto, inputs: Arrays) -> int:
    del node
    return inputs[0].size * max(1, inputs[0].ndim)


_ELEMENTWISE = (
    "Abs Add And BitShift Cast CastLike Ceil Clip Div Equal Erf Exp Floor Greater GreaterOrEqual HardSigmoid HardSwish "
    "IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mod Mul Neg Not Or Pow Reciprocal Relu Round Sigmoid Sign "
    "Sqrt Sub Sum Tanh Where Xor"
)
_NOT_LARGER = (
    "ArgMax ArgMin CumSum Flatten GatherElements Identity ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum ReduceSumSquare Reshape ScatterElements ScatterND Slice Split Squeeze Transpose Trilu Unsqueeze Compress"
)
_BOUNDS: dict[str, Callable[[onnx.NodeProto, Arrays], int]] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _broadcast),
    **dict.fromkeys(_NOT_LARGER.split(), _as_input),
    "Concat": _sum,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Gather": _gathered,
    "NonZero": _positions,
    "Range": _range,
    "Tile": _tiled,
}
