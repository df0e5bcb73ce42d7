"""Constants of a model while it is folded: small ones with their values, large ones with shape and type only."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from devices.external_data import is_external

Shape = tuple[int, ...]

MAX_KNOWN = 1 << 16
"""Numbers of a constant whose values are kept."""


class Constants:
    """Arrays by name. The array of an unknown value takes no memory: it is one zero, broadcast to the shape."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[np.generic]] = {}
        self.types: dict[str, int] = {}
        """Element types as ``TensorProto.DataType`` numbers them."""
        self._unknown: set[str] = set()

    def is_known(self, name: str) -> bool:
        """Whether the array of this constant holds its values."""
        return name not in self._unknown

    def add(self, name: str, value: NDArray[np.generic]) -> None:
        """Adds a value; of texts and large arrays the shape is kept."""
        kind = helper.np_dtype_to_tensor_dtype(value.dtype) if value.dtype.kind not in "OU" else TensorProto.STRING
        if value.size > MAX_KNOWN or kind == TensorProto.STRING:
            self.add_unknown(name, tuple(value.shape), kind)
            return
        self.arrays[name], self.types[name] = value, kind

    def add_unknown(self, name: str, shape: Shape, kind: int) -> None:
        """Adds a constant of which only shape and element type are known.

        Raises:
            ValueError, KeyError: no shape or no type of a tensor.
        """
        self.arrays[name] = np.broadcast_to(np.zeros((), helper.tensor_dtype_to_np_dtype(kind)), shape)
        self.types[name] = kind
        self._unknown.add(name)

    def add_tensor(self, name: str, tensor: onnx.TensorProto) -> None:
        """Adds a weight as it stands in the file.

        Raises:
            ValueError: its data does not fit its shape.
        """
        if prod(tensor.dims) > MAX_KNOWN or is_external(tensor) or tensor.data_type == TensorProto.STRING:
            self.add_unknown(name, tuple(tensor.dims), tensor.data_type)
        else:
            self.add(name, numpy_helper.to_array(tensor))

    def add_attribute(self, name: str, attribute: onnx.AttributeProto) -> bool:
        """Adds the value of a Constant node; whether its attribute is one that holds a value."""
        match attribute.type:
            case AttributeProto.TENSOR:
                self.add_tensor(name, attribute.t)
            case AttributeProto.SPARSE_TENSOR:
                self.add_unknown(name, tuple(attribute.sparse_tensor.dims), attribute.sparse_tensor.values.data_type)
            case AttributeProto.FLOAT:
                self.add(name, np.array(attribute.f, np.float32))
            case AttributeProto.INT:
                self.add(name, np.array(attribute.i, np.int64))
            case AttributeProto.FLOATS:
                self.add(name, np.array(attribute.floats, np.float32))
            case AttributeProto.INTS:
                self.add(name, np.array(attribute.ints, np.int64))
            case AttributeProto.STRING:
                self.add_unknown(name, (), TensorProto.STRING)
            case AttributeProto.STRINGS:
                self.add_unknown(name, (len(attribute.strings),), TensorProto.STRING)
            case _:
                return False
        return True
