"""Citation graphs in one ``.npz`` file, as Cora of Planetoid (Yang et al., "Revisiting semi-supervised learning with
graph embeddings", ICML 2016) can be written.

Arrays, none of them pickled:

- ``feature_indptr`` (nodes + 1), ``feature_indices`` and ``feature_values``: the features as a sparse matrix by rows,
- ``label`` (nodes): classes from 0,
- ``edge`` (edges x 2): pairs of nodes; an edge counts once, in whatever direction and how often it is listed,
- ``train``, ``validation``, ``test``: nodes of each split.

Each row of the features is divided by its sum.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from foundation.errors import UserError
from foundation.regular_file import read_regular
from graphs.data.graph import MAX_NUMBERS, Graph, Indices, unique_edges, with_rows_of_sum_one
from graphs.data.source import GraphSource

_BYTES = 2**30
"""Most bytes of the file, and of its arrays together."""
_WHOLE = {"feature_indptr": 1, "feature_indices": 1, "label": 1, "edge": 2, "train": 1, "validation": 1, "test": 1}
"""Arrays of whole numbers with their number of dimensions."""

Arrays = Mapping[str, NDArray[Any]]


class CoraSource(GraphSource):
    """``cora:PATH``."""

    @override
    @classmethod
    def open(cls, text: str, *, seed: int) -> Graph:
        path = Path(text).expanduser().absolute()
        if not text:
            raise UserError("graph cora", seen="no path", expected="cora:PATH", remedy="name the .npz file")
        try:
            arrays = _read(path)
            features = _features(arrays)
        except (*_DAMAGED, LookupError, MemoryError) as error:
            seen = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
            raise UserError(
                f"graph {path}", seen=seen[:200], expected="the arrays that graphs/data/cora.py lists, in an .npz file",
                remedy="name another file, or write it again",
            ) from error  # fmt: skip
        indices: dict[str, Indices] = {name: arrays[name] for name in _WHOLE}
        return Graph(
            f"cora:{path}",
            with_rows_of_sum_one(features),
            indices["label"],
            unique_edges(indices["edge"]),
            indices["train"],
            indices["validation"],
            indices["test"],
        )


_DAMAGED = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive, or arrays of other kinds, raises; ``RuntimeError`` where it is encrypted."""


def _read(path: Path) -> Arrays:
    """The arrays of the file.

    Raises:
        OSError, ValueError, LookupError, MemoryError, zipfile.BadZipFile: the file is refused or damaged.
    """
    content = read_regular(path, limit=_BYTES)
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        if sum(member.file_size for member in members.infolist()) > _BYTES:
            raise ValueError(f"arrays of more than {_BYTES:,} bytes")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in (*_WHOLE, "feature_values")}
    for name, dimensions in _WHOLE.items():
        array = arrays[name]
        if array.ndim != dimensions or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"{name} of type {array.dtype} and shape {array.shape}")
        arrays[name] = _signed(name, array)
    if arrays["edge"].shape[1] != 2:
        raise ValueError(f"edge of shape {arrays['edge'].shape}")
    return arrays


def _signed(name: str, array: NDArray[np.integer]) -> NDArray[np.int64]:
    """Differences of unsigned numbers are never negative, and numpy takes them for no indices."""
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} up to {array.max()}")
    return array.astype(np.int64)


def _features(arrays: Arrays) -> NDArray[np.float32]:
    """The matrix with its zeros.

    Raises:
        ValueError: no sparse matrix by rows, or one that is too large.
    """
    starts, columns, values = (arrays[f"feature_{name}"] for name in ("indptr", "indices", "values"))
    rows = len(starts) - 1
    lengths = np.diff(starts)
    if rows < 1 or starts[0] != 0 or starts[-1] != len(columns) or (lengths < 0).any():
        raise ValueError("feature_indptr does not go from 0 to the number of feature_indices")
    if values.shape != columns.shape or not np.issubdtype(values.dtype, np.number) or not len(columns):
        raise ValueError(f"feature_values of shape {values.shape} for {len(columns)} feature_indices")
    width = int(columns.max()) + 1
    if columns.min() < 0 or rows * width > MAX_NUMBERS:
        raise ValueError(f"feature_indices from {columns.min()} to {columns.max()}, {rows} nodes")
    matrix = np.zeros((rows, width), np.float32)
    np.add.at(matrix, (np.repeat(np.arange(rows), lengths), columns), values.astype(np.float32))
    return matrix
