"""Devices whose files have no dynamic dimensions: of a model with some, a copy for each size is converted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.conversion import require_converted
from devices.device import Candidate
from devices.model_file import sha256_of
from devices.prepared import PreparedCandidate, prepare
from devices.worker.device import ProcessDevice


class FixedSizesDevice(ProcessDevice):
    """``measure`` and ``infer`` fix the dimensions of a model before it is converted."""

    suffix: ClassVar[str]
    """Of files in the device's format, which ``infer`` takes as they are."""

    def __init__(self, *, threads: int = 1) -> None:
        super().__init__(threads=threads)
        self._last: tuple[object, PreparedCandidate] | None = None
        """What ``infer`` got last, by its content and sizes."""

    @override
    def prepared(self, candidate: Candidate) -> PreparedCandidate:
        return prepare(candidate, fix_sizes=True)

    @override
    def file_for_inference(self, path: Path) -> Path:
        if path.suffix != self.suffix:
            return super().file_for_inference(path)
        require_converted(path)
        return path

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        self.require_available()
        return super().infer(path if path.suffix == self.suffix else self._fixed(path, inputs), inputs)

    def _fixed(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> Path:
        """The file, or a copy with the sizes of these inputs where it leaves some open."""
        shapes = tuple((name, array.shape) for name, array in inputs.items())
        key = (sha256_of(path), shapes)
        if self._last is None or self._last[0] != key:
            self._last = (key, self.prepared(Candidate(path.stem, path, shapes)))
        return self._last[1].path
