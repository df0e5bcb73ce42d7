"""A candidate that has been read, checked and hashed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.device import Candidate
from devices.model_file import check_model, sha256_of
from devices.model_inputs import ModelInput, Shape, model_inputs


@dataclass(frozen=True, slots=True)
class PreparedCandidate:
    """A candidate's file, its hash and its inputs."""

    label: str
    path: Path
    sha256: str
    inputs: tuple[ModelInput, ...]

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """In the model's order."""
        return tuple(each.shape for each in self.inputs)


def prepare(candidate: Candidate) -> PreparedCandidate:
    """Reads and checks the candidate's file.

    Raises:
        UserError: see ``check_model`` and ``model_inputs``.
    """
    path = candidate.path.absolute()
    inputs = model_inputs(check_model(path), candidate.input_shapes)
    return PreparedCandidate(candidate.label, path, sha256_of(path), inputs)
