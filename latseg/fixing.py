"""A model whose weights are constants, where it lists them among its inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from devices.device import Device
from devices.external_data import embed_external_data
from devices.listed_weights import drop_listed_weights, listed_weights
from devices.model_file import check_model, read_model
from devices.model_inputs import model_inputs, random_inputs
from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from devices.input_values import InputValues
    from latency.operators.operator import Shape

_TOLERANCE = 1e-3
"""Relative and absolute: another layout adds in another order."""
_MOST_UNEQUAL = 0.01
"""Share of an output beyond that: rounding decides between equal classes, and between quantised steps."""


def fixed_model(model: Path) -> tuple[bytes, list[str]]:
    """The fixed model as one file, and a sentence on each change; both empty where nothing is to change.

    Raises:
        UserError: not a model, or larger than 2 GiB with its weights.
    """
    weights = listed_weights(check_model(model).graph)
    if not weights:
        return b"", []
    read = read_model(model)
    embed_external_data(model, read, limit=MODEL_BYTES)
    drop_listed_weights(read.graph)
    try:
        content = read.SerializeToString()
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise UserError(
            f"model {model}", seen="more than 2 GiB with its weights", expected="less",
            remedy="take the weights from the inputs where it is exported",
        ) from error  # fmt: skip
    return content, [f"weights that were inputs are constants now: {len(weights)}"]


def check_new(output: Path) -> None:
    """Refuses a file that could not be written, before any work.

    Raises:
        UserError: it is there already, or its folder is missing or cannot be written.
    """
    if output.exists() or output.is_symlink():
        raise UserError(f"output {output}", seen="there already", expected="a new file", remedy="choose --output")
    if not os.access(output.parent, os.W_OK):
        raise _not_written(output, "no folder, or one that cannot be written")


def write_new(output: Path, content: bytes) -> None:
    """Writes the file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    try:
        write_file(output, content)
    except OSError as error:
        raise _not_written(output, error.strerror) from error


def _not_written(output: Path, seen: str | None) -> UserError:
    return UserError(f"output {output}", seen=seen, expected="a folder that can be written", remedy="choose --output")


def check_equal(device: Device, model: Path, fixed: Path, shapes: Mapping[str, Shape], values: InputValues) -> float:
    """Largest difference between the outputs of two models for random inputs.

    Raises:
        UserError: they differ by more than rounding, or the device cannot run one of them.
    """
    inputs = random_inputs(model_inputs(check_model(model), tuple(shapes.items()), values))
    expected, answers = (device.infer(path, inputs) for path in (model, fixed))
    for one, other in zip(expected, answers, strict=True):
        unequal = 1.0 if one.shape != other.shape else _share_unequal(one, other)
        if unequal > _MOST_UNEQUAL:
            raise UserError(
                f"fixed copy of {model}", seen=f"an output of which {100 * unequal:.0f} % are other numbers",
                expected="those of the original", remedy="use the original file",
            )  # fmt: skip
    return max((_difference(e, a) for e, a in zip(expected, answers, strict=True)), default=0.0)


def _share_unequal(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    if one.dtype.kind != "f":
        return float(np.mean(one != other)) if one.size else 0.0
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return 1.0
    close = np.isclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    return float(1 - np.mean(close)) if one.size else 0.0


def _difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Of the finite numbers."""
    if one.dtype.kind not in "fiub":
        return 0.0
    finite = np.isfinite(one) & np.isfinite(other)
    return float(np.abs(one[finite].astype(np.float64) - other[finite].astype(np.float64)).max(initial=0))
