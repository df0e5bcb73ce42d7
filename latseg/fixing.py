"""What costs a model time for nothing, and a copy of the model without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devices.device import Device
from devices.external_data import embed_external_data
from devices.listed_weights import drop_listed_weights, listed_weights
from devices.model_file import check_model, read_model
from devices.model_inputs import model_inputs, random_inputs
from devices.model_normal_form import WEIGHTS_ARE_NO_INPUTS
from devices.output_comparison import MOST_UNEQUAL, compare_outputs
from devices.relu_as_clip import relus_as_clip, write_relus
from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES

if TYPE_CHECKING:
    import onnx

    from devices.input_values import InputValues
    from latency.operators.operator import Shape


@dataclass(frozen=True, slots=True)
class Fix:
    """A cause of lost time, and what removes it."""

    cause: str
    """What the model has, before their number."""
    change: str
    """What was done, before their number."""
    find: Callable[[onnx.ModelProto], int]
    """How many of them the model has."""
    mend: Callable[[onnx.GraphProto], None]
    """Removes them, in place."""
    costs_time: Callable[[Device], bool]


FIXES = (
    Fix(
        "weights listed among the inputs",
        "weights that were inputs are constants now",
        lambda model: len(listed_weights(model.graph)) if model.ir_version >= WEIGHTS_ARE_NO_INPUTS else 0,
        drop_listed_weights,
        lambda device: device.listed_weights_are_inputs,
    ),
    Fix(
        "ReLU written as Clip(0, infinity)",
        "ReLU that was written as Clip is ReLU now",
        lambda model: len(relus_as_clip(model.graph)),
        write_relus,
        lambda device: device.relu_as_clip_is_slower,
    ),
)
"""In this order: a limit that is no input any more may be that of a ReLU."""


def fixed_model(model: Path) -> tuple[bytes, list[str]]:
    """The fixed model as one file, and a sentence on each change; both empty where nothing is to change.

    Raises:
        UserError: not a model, or larger than 2 GiB with its weights.
    """
    check_model(model)
    read = read_model(model)
    changes = [f"{fix.change}: {count}" for fix, count in _mended(read)]
    if not changes:
        return b"", []
    embed_external_data(model, read, limit=MODEL_BYTES)
    try:
        return read.SerializeToString(), changes
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise UserError(
            f"model {model}", seen="more than 2 GiB with its weights", expected="less",
            remedy="take the weights from the inputs where it is exported",
        ) from error  # fmt: skip


def lost_time(model: Path, device: Device) -> list[str]:
    """What costs the model time for nothing on this device, a sentence for each cause; ``fixed_model`` removes it.

    Raises:
        UserError: not a model.
    """
    return [f"{fix.cause}: {count}" for fix, count in _mended(read_model(model)) if fix.costs_time(device)]


def _mended(model: onnx.ModelProto) -> list[tuple[Fix, int]]:
    """What was removed from the model, in place, and how many there were."""
    done = []
    for fix in FIXES:
        if count := fix.find(model):
            fix.mend(model.graph)
            done.append((fix, count))
    return done


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
    found = compare_outputs(expected, answers)
    if found.unequal > MOST_UNEQUAL:
        raise UserError(
            f"fixed copy of {model}", seen=f"an output of which {100 * found.unequal:.0f} % are other numbers",
            expected="those of the original", remedy="use the original file",
        )  # fmt: skip
    return found.max_abs
