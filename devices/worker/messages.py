"""Messages between parent and worker: one JSON object a line, its class named by ``kind``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from devices.model_inputs import ModelInput
from devices.protocol import MeasurementProtocol
from devices.worker.runtime import Array, InputShapes, ModelFile, OperatorProfile
from devices.worker.timing import Timing

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Measure:
    """Time these models as one group."""

    reference: ModelFile
    candidates: tuple[ModelFile, ...]
    protocol: MeasurementProtocol
    seed: int


@dataclass(frozen=True, slots=True)
class Continue:
    """Profile the next candidate: the parent has handled the previous result."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model for inference in the place of the previous one."""

    path: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Infer:
    """Run the loaded model once; arrays travel as files."""

    names: Sequence[str]
    feeds: str
    outputs: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Compile:
    """Compile a model for inputs like these, which travel as files, and load it in the place of the previous one."""

    path: str
    names: Sequence[str]
    feeds: str
    artifact: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """A step of this candidate begins; sent only where parent and worker share no file."""

    candidate: int


@dataclass(frozen=True, slots=True)
class Timed:
    """A candidate's times."""

    candidate: int
    timing: Timing


@dataclass(frozen=True, slots=True)
class Profiled:
    """A candidate's operator times; nothing follows for this candidate."""

    candidate: int
    profile: OperatorProfile


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate, or the model of an inference, that the runtime refused; nothing follows for it."""

    candidate: int
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The runtime is gone, and this worker with it; no candidate is at fault."""

    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model for inference is loaded."""

    inputs: InputShapes
    load_ms: float


@dataclass(frozen=True, slots=True)
class Compiled:
    """The model is compiled; ``units`` names the compute unit of each of its nodes."""

    inputs: InputShapes
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The request is fulfilled."""

    peak_memory_bytes: int | None = None
    """Of the worker, after an inference."""


Request = Measure | Continue | Load | Infer | Compile
Answer = Step | Timed | Profiled | Failed | Lost | Loaded | Compiled | Done
_KINDS: dict[str, Any] = {each.__name__: each for each in get_args(Request | Answer)}


def encode(message: Request | Answer) -> bytes:
    """One line."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}, default=str).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """The inverse of ``encode``, in the worker.

    Without pydantic, whose import would take a third of the time in which a worker starts.
    """
    values = json.loads(line)
    kind = values.pop("kind")
    if kind == "Measure":
        values["protocol"] = MeasurementProtocol(**values["protocol"])
        values["reference"] = _model_file(values["reference"])
        values["candidates"] = tuple(map(_model_file, values["candidates"]))
    request: Request = _KINDS[kind](**values)
    return request


def _model_file(values: dict[str, Any]) -> ModelFile:
    inputs = tuple(
        ModelInput(each["name"], tuple(each["shape"]), each["dtype"], each["value"]) for each in values["inputs"]
    )
    return ModelFile(Path(values["path"]), Path(values["onnx"]), inputs)


def decode_answer(line: bytes) -> Answer:
    """The inverse of ``encode``, in the parent.

    Raises:
        ValueError: not such a message.
    """
    values = json.loads(line)
    kind = values.pop("kind")
    if kind not in _KINDS:
        raise ValueError(f"a message of unknown kind {kind!r}")
    return _adapter(kind).validate_python(values)


@lru_cache
def _adapter(kind: str) -> TypeAdapter[Answer]:
    from pydantic import TypeAdapter

    return TypeAdapter(_KINDS[kind])


def write_arrays(path: Path, arrays: Sequence[Array]) -> None:
    """Writes the arrays as one ``.npz`` file: large arrays do not belong into lines of JSON."""
    with path.open("wb") as file:
        np.savez(file, *arrays)


def read_arrays(path: Path) -> list[Array]:
    """The inverse of ``write_arrays``."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"arr_{position}"] for position in range(len(stored.files))]
