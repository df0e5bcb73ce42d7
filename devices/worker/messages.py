"""Messages between parent and worker: one JSON object a line, its type named by ``kind``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    kind: Literal["measure"] = "measure"


@dataclass(frozen=True, slots=True)
class Continue:
    """Profile the next candidate: the parent has handled the previous result."""

    kind: Literal["continue"] = "continue"


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model for inference in the place of the previous one."""

    path: str
    timeout_s: float
    kind: Literal["load"] = "load"


@dataclass(frozen=True, slots=True)
class Infer:
    """Run the loaded model once; arrays travel as files."""

    names: Sequence[str]
    feeds: str
    outputs: str
    timeout_s: float
    kind: Literal["infer"] = "infer"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of this candidate begins; sent only where parent and worker share no file."""

    candidate: int
    kind: Literal["step"] = "step"


@dataclass(frozen=True, slots=True)
class Timed:
    """A candidate's times."""

    candidate: int
    timing: Timing
    kind: Literal["timed"] = "timed"


@dataclass(frozen=True, slots=True)
class Profiled:
    """A candidate's operator times; nothing follows for this candidate."""

    candidate: int
    profile: OperatorProfile
    kind: Literal["profiled"] = "profiled"


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate, or the model of an inference, that the runtime refused; nothing follows for it."""

    candidate: int
    reason: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model for inference is loaded."""

    inputs: InputShapes
    kind: Literal["loaded"] = "loaded"


@dataclass(frozen=True, slots=True)
class Done:
    """The request is fulfilled."""

    kind: Literal["done"] = "done"


Request = Measure | Continue | Load | Infer
_REQUESTS: dict[str, type[Request]] = {
    "measure": Measure,
    "continue": Continue,
    "load": Load,
    "infer": Infer,
}
Answer = Step | Timed | Profiled | Failed | Loaded | Done


def encode(message: Request | Answer) -> bytes:
    """One line."""
    return json.dumps(asdict(message), default=str).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """The inverse of ``encode``, in the worker.

    Without pydantic, whose import would take a third of the time in which a worker starts.
    """
    values = json.loads(line)
    if values["kind"] == "measure":
        values["protocol"] = MeasurementProtocol(**values["protocol"])
        values["reference"] = _model_file(values["reference"])
        values["candidates"] = tuple(map(_model_file, values["candidates"]))
    return _REQUESTS[values["kind"]](**values)


def _model_file(values: dict[str, Any]) -> ModelFile:
    inputs = tuple(ModelInput(each["name"], tuple(each["shape"]), each["dtype"]) for each in values["inputs"])
    return ModelFile(Path(values["path"]), Path(values["onnx"]), inputs)


def decode_answer(line: bytes) -> Answer:
    """The inverse of ``encode``, in the parent.

    Raises:
        ValueError: not such a message.
    """
    return _answers().validate_python(json.loads(line))


@lru_cache(maxsize=1)
def _answers() -> TypeAdapter[Answer]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Answer, Field(discriminator="kind")])


def write_arrays(path: Path, arrays: Sequence[Array]) -> None:
    """Writes the arrays as one ``.npz`` file: large arrays do not belong into lines of JSON."""
    with path.open("wb") as file:
        np.savez(file, *arrays)


def read_arrays(path: Path) -> list[Array]:
    """The inverse of ``write_arrays``."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"arr_{position}"] for position in range(len(stored.files))]
