"""Inputs of a model with every dimension fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One input that has to be fed."""

    name: str
    shape: Shape
    dtype: str
    """Numpy's name of the element type, e.g. ``"float32"``."""


def model_inputs(model: onnx.ModelProto, given: Sequence[tuple[str, Shape]]) -> tuple[ModelInput, ...]:
    """The inputs that are not weights, dynamic dimensions filled in from ``given`` (shapes by input name).

    Raises:
        UserError: a dynamic dimension without a shape, a shape that contradicts the model, an unknown input name.
    """
    from onnx import helper

    weights = {tensor.name for tensor in model.graph.initializer}
    values = [value for value in model.graph.input if value.name not in weights]
    shapes = dict(given)
    unknown = sorted(set(shapes) - {value.name for value in values})
    if unknown:
        names = ", ".join(value.name for value in values)
        raise UserError(
            "input shape", seen=f"a shape for {unknown[0]!r}", expected=f"one of {names}", remedy="rename it"
        )
    resolved = []
    for value in values:
        element = value.type.tensor_type.elem_type
        if element not in helper.get_all_tensor_dtypes():
            raise UserError(
                f"input {value.name!r}", seen="no tensor", expected="a tensor", remedy="change the model's input"
            )
        dtype = helper.tensor_dtype_to_np_dtype(element).name
        resolved.append(ModelInput(value.name, _fixed(value, shapes.get(value.name)), dtype))
    return tuple(resolved)


def random_inputs(inputs: Sequence[ModelInput], seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Something to feed: normal floats, bytes over their whole range, small integers; the same for the same seed."""
    random = np.random.default_rng(seed)
    return {each.name: _values(random, each.shape, np.dtype(each.dtype)) for each in inputs}


def _values(random: np.random.Generator, shape: Shape, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    return random.integers(0, 256 if dtype == np.uint8 else 2, shape).astype(dtype)


def _fixed(value: onnx.ValueInfoProto, given: Shape | None) -> Shape:
    declared = [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
    shown = "x".join("?" if dim is None else str(dim) for dim in declared)
    what = f"shape of input {value.name!r}"
    if given is None:
        if any(dim is None for dim in declared) or not value.type.tensor_type.HasField("shape"):
            raise UserError(
                what, seen=shown or "none", expected="fixed dimensions", remedy=f"give a shape for {value.name!r}"
            )
        return tuple(dim for dim in declared if dim is not None)
    known = value.type.tensor_type.HasField("shape")
    agrees = len(given) == len(declared) and all(d in (None, g) for d, g in zip(declared, given, strict=True))
    if (known and not agrees) or any(dim < 1 for dim in given):
        seen = "x".join(map(str, given))
        raise UserError(
            what, seen=seen, expected=shown or "positive dimensions", remedy="give a shape that fits the model"
        )
    return tuple(given)
