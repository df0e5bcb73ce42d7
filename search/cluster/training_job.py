"""One training of a candidate as plain JSON, and how a worker does it. Nothing but such texts crosses machines."""

from __future__ import annotations

import json
import socket
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder
from search.architecture import Architecture
from search.run_config import RunConfig
from search.spaces.registry import open_nets

if TYPE_CHECKING:
    from search.tasks.task import Task

_PACKAGES = ("latseg", "torch")
"""Their versions decide what a training gives."""


class TrainingJob(BaseModel):
    """What a worker needs to train a candidate as it would be trained where the search runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: str
    """JSON text of the run's configuration."""
    architecture: str
    """JSON text of an architecture."""
    epochs: int
    data: str
    """``Task.fingerprint`` where the search runs."""
    versions: dict[str, str]


def training_job(config: RunConfig, architecture: Architecture, epochs: int, data: str) -> str:
    """The text that ``answered`` takes."""
    text = config.model_dump_json(by_alias=True)
    job = TrainingJob(config=text, architecture=architecture.to_json(), epochs=epochs, data=data, versions=_versions())
    return job.model_dump_json()


def answered(text: str) -> str:
    """Trains the candidate; JSON of what came of it, which ``quality_of`` reads.

    The data of a job stay open for the next one in this process.
    """
    try:
        return json.dumps({"quality": _quality(TrainingJob.model_validate_json(text))})
    except UserError as error:
        told = {"seen": str(error.seen), "expected": error.expected, "remedy": error.remedy}
        return json.dumps({"refused": {"what": f"{error.what} on {socket.gethostname()}", **told}})


def quality_of(answer: str) -> float:
    """The main metric of the task.

    Raises:
        UserError: what the training raised, with the name of the machine.
    """
    document = json.loads(answer)
    if "refused" in document:
        refused = document["refused"]
        raise UserError(refused.pop("what"), **refused)
    return float(document["quality"])


def _quality(job: TrainingJob) -> float:
    import torch

    _check_versions(job.versions)
    config, task = _opened(job.config)
    torch.set_num_threads(config.training.threads)
    if task.fingerprint != job.data:
        raise UserError(
            f"data {config.data}", seen="other examples than where the search runs", expected="the same ones",
            remedy="copy the data to the same place on every machine",
        )  # fmt: skip
    with TemporaryFolder() as folder:
        path = folder.path / "candidate.safetensors"
        architecture = Architecture.from_json(job.architecture)
        return task.train(architecture, checkpoint=path, epochs=job.epochs, short=True).quality.value


@lru_cache(maxsize=1)
def _opened(text: str) -> tuple[RunConfig, Task]:
    config = RunConfig.model_validate_json(text)
    space = open_nets(config.space, classes=len(config.classes), sizes=config.sizes)
    return config, space.make_task(config.task_options(None))


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


def _check_versions(wanted: dict[str, str]) -> None:
    """Raises ``UserError`` where this machine has another version of what decides the result."""
    for name, here in _versions().items():
        if here != wanted[name]:
            raise UserError(name, seen=here, expected=f"{wanted[name]}, as where the search runs", remedy="install it")
