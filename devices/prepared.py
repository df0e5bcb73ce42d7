"""A candidate that has been read, checked and hashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devices.device import Candidate
from devices.external_data import embed_external_data, external_names
from devices.model_file import check_model, read_model, sha256_of
from devices.model_inputs import ModelInput, Shape, fix_input_shapes, known_shapes, model_inputs
from devices.model_normal_form import writes_free_dimensions
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    import onnx

_FED = (
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "bool",
)
_TEXT = "object"


@dataclass(frozen=True, slots=True)
class PreparedCandidate:
    """A candidate's file, its hash and its inputs."""

    label: str
    path: Path
    """The file that runtimes read: the candidate's, or a copy with fixed sizes."""
    sha256: str
    """Of the candidate's file."""
    inputs: tuple[ModelInput, ...]
    parts: tuple[Path, ...] = ()
    """Files in which external weights of ``path`` lie."""
    folder: TemporaryFolder | None = None
    """Holds the copy."""

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """In the model's order."""
        return tuple(each.shape for each in self.inputs)


def prepare(candidate: Candidate, *, fix_sizes: bool = False) -> PreparedCandidate:
    """Reads and checks the candidate's file.

    Args:
        candidate: to be measured.
        fix_sizes: whether runtimes get a copy of each model with dynamic dimensions, in which these are fixed.

    Raises:
        UserError: see ``check_model`` and ``model_inputs``; an input that cannot be fed.
    """
    path = candidate.path.absolute()
    inputs = model_inputs(check_model(path), candidate.input_shapes, candidate.input_values)
    _check_types(inputs)
    sha256 = sha256_of(path)
    model = read_model(path)
    if not writes_free_dimensions(model.graph) and not (fix_sizes and _leaves_sizes_open(model.graph, inputs)):
        parts = tuple(path.parent / name for name in external_names(model))
        return PreparedCandidate(candidate.label, path, sha256, inputs, parts)
    folder = TemporaryFolder()
    copy = _fixed_copy(path, inputs, folder.path)
    return PreparedCandidate(candidate.label, copy, sha256, inputs, folder=folder)


def _check_types(inputs: Sequence[ModelInput]) -> None:
    for each in inputs:
        if each.dtype not in (*_FED, _TEXT):
            raise UserError(
                f"input {each.name!r}", seen=f"the element type {each.dtype}, which cannot be fed",
                expected=f"one of {', '.join(_FED)}, string", remedy="let the net take float32 and cast it inside",
            )  # fmt: skip


def _leaves_sizes_open(graph: onnx.GraphProto, inputs: Sequence[ModelInput]) -> bool:
    shapes = known_shapes(graph)
    return any(each.name not in shapes for each in inputs)


def _fixed_copy(path: Path, inputs: Sequence[ModelInput], folder: Path) -> Path:
    """The model in one file, its dimensions fixed to those of ``inputs``."""
    model = read_model(path)
    embed_external_data(path, model, limit=MODEL_BYTES)
    fix_input_shapes(model, {each.name: each.shape for each in inputs})
    copy = folder / path.name
    try:
        copy.write_bytes(model.SerializeToString())
    except Exception as error:  # protobuf's EncodeError, whose home has moved between versions
        raise UserError(
            f"model {path}", seen="more than 2 GiB and dimensions written as 0 or -1", expected="dynamic dimensions",
            remedy="export it with named dynamic axes",
        ) from error  # fmt: skip
    return copy
