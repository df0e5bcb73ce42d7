"""What a manifest says about its ONNX files, compared with the files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from devices.model_file import check_model
from devices.model_inputs import data_inputs
from export.bundle.manifest import BundleFile, InputLayout, Manifest

if TYPE_CHECKING:
    import onnx

Dimensions = tuple[int | None, ...]
"""None where a dimension is open."""
_NO_TENSOR = "no tensor"


def model_faults(folder: Path, file: BundleFile, manifest: Manifest) -> list[str]:
    """Inputs, outputs, classes and the number of parameters of one ONNX file, where the manifest says otherwise.

    Raises:
        UserError: the file is no ONNX file.
    """
    model = check_model(folder / file.path)
    inputs = [_described(value) for value in data_inputs(model.graph)]
    expected = _expected_inputs(file, manifest)
    faults = [] if inputs == expected else [f"takes {_words(inputs)}, the manifest says {_words(expected)}"]
    if manifest.input is None:
        return faults
    outputs = [_described(value)[1:] for value in model.graph.output]
    answer = _expected_output(file, manifest.input, len(manifest.classes))
    if [shape for shape, _ in outputs] != [answer] and _known(outputs):
        faults.append(f"returns {_words([('', *each) for each in outputs])}, the manifest says {_shape(answer)}")
    return [*faults, *_parameter_faults(model, manifest.parameters)]


def _known(outputs: list[tuple[Dimensions, str]]) -> bool:
    """Whether the file gives its output's shape; an open dimension may also mean that the exporter found none."""
    return bool(outputs) and all(any(shape) or kind == _NO_TENSOR for shape, kind in outputs)


def _described(value: onnx.ValueInfoProto) -> tuple[str, Dimensions, str]:
    from onnx import helper

    tensor = value.type.tensor_type
    if tensor.elem_type not in helper.get_all_tensor_dtypes():
        return value.name, (), _NO_TENSOR
    dimensions = tuple(
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in tensor.shape.dim
    )
    return value.name, dimensions, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type).name)


def _expected_inputs(file: BundleFile, manifest: Manifest) -> list[tuple[str, Dimensions, str]]:
    layout = manifest.input
    if layout is None:
        return [(each.name, each.shape, each.dtype) for each in manifest.inputs]
    if file.input == "pixels":
        return [(layout.name, (1, *_sides(file, layout), 3), "uint8")]
    return [(layout.name, (1, 3, *_sides(file, layout)), layout.dtype)]


def _expected_output(file: BundleFile, layout: InputLayout, classes: int) -> Dimensions:
    sides = _sides(file, layout)
    return (1, *sides) if file.input == "pixels" else (1, classes, *sides)


def _sides(file: BundleFile, layout: InputLayout) -> tuple[int | None, int | None]:
    return (None, None) if file.dynamic else (layout.height, layout.width)


def _parameter_faults(model: onnx.ModelProto, parameters: int) -> Iterator[str]:
    """An ONNX file has the weights, and one bias where torch may have had the two parameters of a normalisation."""
    sizes = [(len(one.dims), math.prod(one.dims)) for one in model.graph.initializer if one.data_type == one.FLOAT]
    weights = sum(size for rank, size in sizes if rank >= 2)
    vectors = sum(size for rank, size in sizes if rank == 1)
    if not weights <= parameters <= weights + 2 * vectors:
        yield f"holds {weights:,} to {weights + 2 * vectors:,} parameters, the manifest says {parameters:,}"


def _words(values: list[tuple[str, Dimensions, str]]) -> str:
    return ", ".join(f"{name} {dtype} {_shape(shape)}".strip() for name, shape, dtype in values) or "nothing"


def _shape(shape: Dimensions) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape)
