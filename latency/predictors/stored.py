"""A predictor that is written to a folder as one JSON document and its arrays."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray
from typing_extensions import override

from latency.predictor import LatencyPredictor
from latency.predictors.folder import corrupt, read_folder, write_folder

Document = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError)
"""What reading a damaged document or its arrays may raise."""


class StoredPredictor(LatencyPredictor):
    """Implements ``save`` and ``load``; can be made without arguments."""

    @abstractmethod
    def document(self) -> tuple[Document, Arrays]:
        """All that ``restore`` needs; only after ``fit`` or ``load``."""

    @abstractmethod
    def restore(self, document: Document, arrays: Arrays) -> None:
        """Becomes the predictor that ``document`` described.

        Raises:
            DAMAGE: it is damaged.
        """

    @override
    def save(self, folder: Path) -> None:
        document, arrays = self.document()
        write_folder(folder, self.name, document, arrays)

    @classmethod
    @override
    def load(cls, folder: Path) -> Self:
        document, arrays = read_folder(folder, cls.name)
        predictor = cls()
        try:
            predictor.restore(document, arrays)
        except DAMAGE as error:
            raise corrupt(folder, f"{type(error).__name__}: {error}") from error
        return predictor


def prefixed(arrays: Arrays, prefix: str) -> Arrays:
    """Arrays with a prefix before their names."""
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def without_prefix(arrays: Arrays, prefix: str) -> Arrays:
    """Those arrays whose names have the prefix, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
