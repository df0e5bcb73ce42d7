"""Graphs of ``.npz`` files are read as they were written, and what is no such file is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.errors import UserError
from graphs.data.cora import CoraSource
from graphs.data.graph import Graph, with_rows_of_sum_one
from graphs.data.registry import open_graph
from graphs.graph_size import GraphSize
from latseg.testing.graph_contract import GraphContract
from tests.graphs.small_graph import small_graph
from tests.shared_cases import shared_data

Arrays = dict[str, np.ndarray[Any, Any]]


def arrays_of(graph: Graph) -> Arrays:
    rows, columns = np.nonzero(graph.features)
    return {
        "feature_indptr": np.searchsorted(rows, np.arange(len(graph.labels) + 1)).astype(np.int32),
        "feature_indices": columns.astype(np.int32),
        "feature_values": np.ones(len(columns), np.float32),
        "label": graph.labels,
        "edge": graph.edges,
        "train": graph.train,
        "validation": graph.validation,
        "test": graph.test,
    }


@pytest.fixture
def arrays() -> Arrays:
    return arrays_of(small_graph())


class TestCora(GraphContract):
    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path, arrays: Arrays) -> None:
        self.path = tmp_path / "graph, with a comma.npz"
        np.savez_compressed(self.path, **arrays)

    def source(self) -> type[CoraSource]:
        return CoraSource

    def text(self) -> str:
        return str(self.path)


def test_it_is_read_as_it_was_written(tmp_path: Path, arrays: Arrays) -> None:
    arrays["edge"] = np.concatenate([arrays["edge"], arrays["edge"][::-1, ::-1], [[5, 5]]])
    np.savez(tmp_path / "graph.npz", **arrays)
    read, written = open_graph(f"cora:{tmp_path / 'graph.npz'}"), small_graph()
    assert read.size == written.size
    for name in ("features", "labels", "edges", "train", "validation", "test"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


@pytest.mark.parametrize("kind", [np.uint64, np.uint8, np.int16])
def test_other_kinds_of_whole_numbers_are_read(tmp_path: Path, arrays: Arrays, kind: type[np.integer]) -> None:
    names = [name for name, array in arrays.items() if name != "feature_values" and array.max() <= np.iinfo(kind).max]
    np.savez(tmp_path / "graph.npz", **arrays | {name: arrays[name].astype(kind) for name in names})
    np.savez(tmp_path / "plain.npz", **arrays)
    found, plain = (CoraSource.open(str(tmp_path / f"{name}.npz"), seed=0) for name in ("graph", "plain"))
    assert (found.features == plain.features).all()
    assert (found.edges == plain.edges).all()


def test_a_number_beyond_int64_is_told(tmp_path: Path, arrays: Arrays) -> None:
    np.savez(tmp_path / "graph.npz", **arrays | {"label": np.full(len(arrays["label"]), 2**64 - 1, np.uint64)})
    with pytest.raises(UserError, match="got label up to 18446744073709551615"):
        CoraSource.open(str(tmp_path / "graph.npz"), seed=0)


def test_rows_are_divided_by_their_sums() -> None:
    rows = with_rows_of_sum_one(np.array([[1, 3, 0], [0, 0, 0]], np.float32))
    np.testing.assert_array_equal(rows, np.array([[0.25, 0.75, 0], [0, 0, 0]], np.float32))


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: change(arrays[name])})


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda arrays: arrays.pop("label"), "label"),
        (changed("label", lambda a: a.astype(np.float64)), "label of type float64"),
        (changed("label", lambda a: a[:-1]), "labels of the graph"),
        (changed("label", lambda a: a - 1), "labels of the graph"),
        (changed("label", lambda a: a * 0), "two classes at least"),
        (changed("label", lambda a: np.where(np.arange(len(a)) == 59, 7, a)), "no training node of class 3"),
        (changed("edge", lambda a: a[:, :1]), "edge of shape"),
        (changed("edge", lambda a: a + 30), "pairs of nodes from 0 to 59"),
        (changed("edge", lambda a: a[:0]), "edges of the graph"),
        (changed("feature_indptr", lambda a: a[::-1]), "feature_indptr"),
        (changed("feature_indptr", lambda a: a + 1), "feature_indptr"),
        (changed("feature_values", lambda a: a[:-1]), "feature_values of shape"),
        (changed("feature_values", lambda a: a * np.nan), "all finite"),
        (changed("feature_indices", lambda a: a - 1), "feature_indices from -1"),
        (changed("feature_indices", lambda a: a.astype(np.int64) * 10**9), "feature_indices from 0"),
        (changed("train", lambda a: a[:0]), "nodes in train, validation and test"),
        (changed("train", lambda a: np.append(a, 60)), "different nodes of the graph"),
        (changed("test", lambda a: np.append(a, a[0])), "different nodes of the graph"),
    ],
)
def test_damaged_arrays_are_refused_in_one_line(
    damage: Callable[[Arrays], None], what: str, arrays: Arrays, tmp_path: Path
) -> None:
    damage(arrays)
    np.savez(tmp_path / "graph.npz", **arrays)
    with pytest.raises(UserError, match=what) as raised:
        open_graph(f"cora:{tmp_path / 'graph.npz'}")
    assert "\n" not in str(raised.value)


def test_other_files_are_refused(tmp_path: Path, arrays: Arrays) -> None:
    pipe, text, pickled, cut = (tmp_path / name for name in ("pipe", "text.npz", "pickled.npz", "cut.npz"))
    os.mkfifo(pipe)
    text.write_text("no graph")
    np.savez(pickled, **arrays | {"label": np.array([{"a": 1}], dtype=object)})
    np.savez(cut, **arrays)
    cut.write_bytes(cut.read_bytes()[:-400])
    for path in (pipe, text, pickled, cut, tmp_path, tmp_path / "missing.npz"):
        with pytest.raises(UserError, match=f"graph {path}"):
            open_graph(f"cora:{path}")
    with pytest.raises(UserError, match="no path"):
        open_graph("cora")


def test_damage_inside_a_compressed_array_is_told(tmp_path: Path, arrays: Arrays) -> None:
    path = tmp_path / "graph.npz"
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x03\x04") + 30 + 40
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(UserError, match="graph"):
        open_graph(f"cora:{path}")


def test_arrays_that_are_too_large_are_refused_unread(
    tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "graph.npz", **arrays | {"more": np.zeros(10**6)})
    monkeypatch.setattr("graphs.data.cora._BYTES", 10**6)
    with pytest.raises(UserError, match="arrays of more than 1,000,000 bytes"):
        open_graph(f"cora:{tmp_path / 'graph.npz'}")


def test_cora_itself() -> None:
    graph = open_graph(f"cora:{shared_data('cora/cora.npz')}")
    assert graph.size == GraphSize(2708, 5278, 168, 1433)
    assert (graph.classes, len(graph.train), len(graph.validation), len(graph.test)) == (7, 140, 500, 1000)
