"""Writes a model again without what costs time on a device for nothing."""

from __future__ import annotations

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
"""Of the largest output: another layout adds in another order."""


def fix_model(model: Path, output: Path) -> list[str]:
    """Writes the mended model, in one file; returns what was changed. Nothing is written where nothing is to change.

    Raises:
        UserError: not a model, larger than 2 GiB with its weights, or ``output`` is there already or cannot be written.
    """
    check_model(model)
    if output.exists():
        raise UserError(f"output {output}", seen="a file", expected="none", remedy="choose another --output")
    read = read_model(model)
    weights = listed_weights(read.graph)
    if not weights:
        return []
    embed_external_data(model, read, limit=MODEL_BYTES)
    drop_listed_weights(read.graph)
    try:
        write_file(output, read.SerializeToString())
    except OSError as error:
        raise UserError(
            f"output {output}", seen=error.strerror, expected="a folder that can be written", remedy="choose another"
        ) from error
    except ValueError as error:
        raise UserError(
            f"model {model}", seen="more than 2 GiB with its weights", expected="less",
            remedy="take the weights from the inputs where it is exported",
        ) from error  # fmt: skip
    return [f"{len(weights)} weights among the inputs are constants now"]


def check_equal(device: Device, model: Path, fixed: Path, shapes: Mapping[str, Shape], values: InputValues) -> float:
    """Largest difference of the outputs for random inputs.

    Raises:
        UserError: it is more than rounding, or the device cannot run one of them.
    """
    inputs = random_inputs(model_inputs(check_model(model), tuple(shapes.items()), values))
    expected, answers = (device.infer(path, inputs) for path in (model, fixed))
    worst = max((_difference(e, a) for e, a in zip(expected, answers, strict=True)), default=0.0)
    largest = max((float(np.abs(e).max(initial=0)) for e in expected if e.dtype.kind == "f"), default=0.0)
    if not worst <= _TOLERANCE * max(largest, 1.0):
        raise UserError(
            f"model {fixed}", seen=f"outputs that differ by {worst:.2g}", expected="equal outputs",
            remedy="use the original file, and report this as a fault of latseg",
        )  # fmt: skip
    return worst


def _difference(expected: NDArray[np.generic], answer: NDArray[np.generic]) -> float:
    if expected.shape != answer.shape:
        return float("inf")
    if expected.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(expected, answer) else float("inf")
    return float(np.abs(expected.astype(np.float64) - answer.astype(np.float64)).max(initial=0))
