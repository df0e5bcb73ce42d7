"""What a machine of a cluster is asked to do with its device, as plain JSON texts."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, TypeAdapter

from devices.device import Candidate, Device
from devices.device_info import DeviceInfo
from devices.input_values import InputValues
from devices.measurement import FailedMeasurement, Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES, read_regular
from foundation.temporary_folder import TemporaryFolder

_INFO = TypeAdapter(DeviceInfo)
_RESULTS = TypeAdapter(list[Measurement | FailedMeasurement])


class NodeModel(BaseModel):
    """A model with its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    files: dict[str, str]
    """Content by place relative to the model's folder, in base64; the model itself comes first."""
    input_shapes: tuple[tuple[str, tuple[int, ...]], ...]
    input_values: InputValues

    @classmethod
    def of(cls, candidate: Candidate, parts: Sequence[Path]) -> NodeModel:
        """The model of a candidate, with the files of its weights, which lie below its folder.

        Raises:
            UserError: one of them lies elsewhere.
        """
        folder = candidate.path.parent
        names = [path.relative_to(folder).as_posix() for path in (candidate.path, *parts)]
        contents = [read_regular(_below(folder, name), limit=MODEL_BYTES) for name in names]
        files = {name: b64encode(content).decode() for name, content in zip(names, contents, strict=True)}
        return cls(
            label=candidate.label,
            files=files,
            input_shapes=candidate.input_shapes,
            input_values=candidate.input_values,
        )

    def written(self, folder: Path) -> Candidate:
        """The candidate, its files in a folder of its own.

        Raises:
            UserError: one of them would lie elsewhere.
        """
        paths = [_below(folder, name) for name in self.files]
        for path, content in zip(paths, self.files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b64decode(content))
        return Candidate(self.label, paths[0], self.input_shapes, self.input_values)


class NodeJob(BaseModel):
    """Models to measure with one device; without models only its description is wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    threads: int | None
    models: tuple[NodeModel, ...] = ()
    nominal_reference_ms: float = 1.0
    protocol: MeasurementProtocol = MeasurementProtocol()
    seed: int = 0


def done(text: str) -> str:
    """Does what the job says, on this machine; JSON for ``info_of`` or ``results_of``."""
    job = NodeJob.model_validate_json(text)
    try:
        device = get_device(job.device, threads=job.threads)
        if not job.models:
            return _INFO.dump_json(device.info()).decode()
        return _RESULTS.dump_json(_measured(job, device)).decode()
    except UserError as error:
        return json.dumps({"refused": str(error.seen), "remedy": error.remedy})


def info_of(answer: str) -> DeviceInfo:
    """The description of the device.

    Raises:
        RefusedJobError: the machine cannot use it.
    """
    _require_done(answer)
    return _INFO.validate_json(answer)


def results_of(answer: str) -> list[Measurement | FailedMeasurement]:
    """What was measured.

    Raises:
        RefusedJobError: the machine could not.
    """
    _require_done(answer)
    return _RESULTS.validate_json(answer)


class RefusedJobError(Exception):
    """What a machine said instead of an answer."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def _below(folder: Path, name: str) -> Path:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise UserError(
            "file of a model", seen=name, expected="a file below the model's folder, named without `..`",
            remedy="export the model again, with its weights beside it",
        )  # fmt: skip
    return folder / place


def _require_done(answer: str) -> None:
    document = json.loads(answer)
    if isinstance(document, dict) and "refused" in document:
        raise RefusedJobError(document["refused"], document["remedy"])


def _measured(job: NodeJob, device: Device) -> list[Measurement | FailedMeasurement]:
    with TemporaryFolder() as folder:
        candidates = [model.written(folder.path / str(place)) for place, model in enumerate(job.models)]
        return list(
            device.measure(
                candidates, nominal_reference_ms=job.nominal_reference_ms, protocol=job.protocol, seed=job.seed
            )
        )
