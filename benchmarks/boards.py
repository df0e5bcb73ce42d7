"""Boards that nobody here has: the ncnn project's own measurements, one board left out (Tencent/ncnn, BSD-3-Clause).

``benchmark/README.md`` of that repository holds latencies of some thirty nets on many boards, contributed by their
owners, and ``benchmark/models`` the nets. Of each board with a column of one CPU thread, ten random nets are known; its
other nets are predicted from them and from the columns of one CPU thread of other boards: the boards are left out by
tenths. What a board did not measure is filled in by the mean of the others. Nothing of the table enters the repository.

Writes ``benchmarks/results/boards.json``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError
from latency.operators.from_ncnn import from_ncnn
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import Prediction
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.prior import Prior
from latency.predictors.transfer.source_tasks import SourceTable, learned_mixtures, learned_weighing
from latency.sample import LatencySample
from provenance import RESULTS, provenance, write_result

KNOWN = 10
FOLDS = 10
GOALS = {"error_percent": 8.0, "within_10_percent": 80.0}
MIN_MEASURED = 20
"""Nets that a board must have measured to be predicted, and boards that must have measured a net."""
_LATENCY = re.compile(r"\s*([\w.\-]+)\s+min\s*=\s*[\d.]+\s+max\s*=\s*[\d.]+\s+avg\s*=\s*([\d.]+)")
_SETTING = re.compile(r"\s*(num_threads|gpu_device)\s*=\s*(-?\d+)")
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One run of the benchmark."""

    board: str
    threads: int
    gpu: int
    ms: Mapping[str, float]
    """By net."""


def columns(readme: str) -> Iterator[Column]:
    """Of all boards, in the order of the table."""
    board, settings, ms = "", {"num_threads": 0, "gpu_device": -1}, dict[str, float]()
    for line in [*readme.splitlines(), "### end"]:
        setting, latency = _SETTING.match(line), _LATENCY.match(line)
        if (setting or line.startswith("### ")) and ms:
            yield Column(board, settings["num_threads"], settings["gpu_device"], ms)
            ms = {}
        if line.startswith("### "):
            board, settings = line[4:].strip(), {"num_threads": 0, "gpu_device": -1}
        elif setting:
            settings[setting[1]] = int(setting[2])
        elif latency and board:
            ms[latency[1]] = float(latency[2])


def graphs(repository: Path) -> dict[str, OperatorGraph]:
    """The nets that can be read, by the name of the table."""
    listed = _git(repository, "ls-tree", "--name-only", "HEAD", "benchmark/models/").split()
    found = {}
    for path in (path for path in listed if path.endswith(".param")):
        try:
            found[Path(path).stem] = from_ncnn(_git(repository, "show", f"HEAD:{path}"))
        except UserError as error:
            print(f"{path}: {error}", file=sys.stderr)
    return found


@dataclass(frozen=True)
class TableSource:
    """A board that measured every net: in the place of ``SourcePredictor``."""

    ms: Mapping[str, float]
    """By the digest of the graph."""

    def predict(self, nets: Sequence[OperatorGraph], digests: Sequence[str], _: Matrix) -> list[Prediction]:
        """What it measured."""
        return [
            Prediction(self.ms[digest], (self.ms[digest],) + (0.0,) * (len(net.operators) - 1), 0.0, ())
            for net, digest in zip(nets, digests, strict=True)
        ]


@dataclass(frozen=True)
class Boards:
    """Columns x nets."""

    boards: Sequence[str]
    names: Sequence[str]
    nets: Sequence[OperatorGraph]
    ms: Matrix
    """NaN where not measured."""

    @staticmethod
    def read(repository: Path) -> Boards:
        """Columns of one CPU thread, and the nets that enough of them measured."""
        single = [
            column
            for column in columns(_git(repository, "show", "HEAD:benchmark/README.md"))
            if column.threads == 1 and column.gpu == -1
        ]
        known = graphs(repository)
        names = [name for name in known if sum(name in column.ms for column in single) >= MIN_MEASURED]
        ms = np.array([[column.ms.get(name, np.nan) for name in names] for column in single])
        return Boards([column.board for column in single], names, [known[name] for name in names], ms)

    def filled(self, places: Sequence[int]) -> Matrix:
        """Some columns, with the mean of the others of them, at the board's level, where nothing was measured."""
        logs = np.log(self.ms[places])
        level = np.nanmean(logs - np.nanmean(logs, axis=0), axis=1, keepdims=True)
        return np.exp(np.where(np.isnan(logs), level + np.nanmean(logs - level, axis=0), logs))


def learned_prior(table: Boards, left_out: Sequence[str]) -> Prior:
    """From the other boards; each in turn is predicted from the rest."""
    groups = NetGroups.learn(table.nets)
    digests = [graph_digest(net) for net in table.nets]
    others = [
        place
        for place, board in enumerate(table.boards)
        if board not in left_out and np.isfinite(table.ms[place]).sum() >= MIN_MEASURED
    ]
    known = table.filled(others).tolist()
    filled = {place: dict(zip(digests, ms, strict=True)) for place, ms in zip(others, known, strict=True)}
    tables = []
    for place in others:
        samples = [
            LatencySample(name, net, float(ms))
            for name, net, ms in zip(table.names, table.nets, table.ms[place], strict=True)
            if np.isfinite(ms)
        ]
        its_sources = [filled[other] for other in others if table.boards[other] != table.boards[place]]
        tables.append(SourceTable.of(groups, samples, its_sources))
    sources = {str(place): TableSource(filled[place]) for place in others}
    mixtures = learned_mixtures(tables, groups)
    return Prior(groups, sources, mixtures, learned_weighing(tables, groups, mixtures, None), None)  # type: ignore[arg-type]


def nearest(table: Boards, others: Sequence[int], known: Sequence[int], ms: Matrix, asked: Sequence[int]) -> Matrix:
    """Of the board whose latencies of the known nets are most alike, up to its level."""
    logs = np.log(table.filled(others))
    apart = np.log(ms) - logs[:, known]
    level = np.median(apart, axis=1)
    best = int(np.argmin(np.abs(apart - level[:, None]).mean(axis=1)))
    return np.exp(logs[best, asked] + level[best])


def board_errors(table: Boards, place: int, prior: Prior, draws: int) -> dict[str, list[float]]:
    """Relative errors of every net that was not known, by method."""
    measured = np.flatnonzero(np.isfinite(table.ms[place]))
    others = [int(name) for name in prior.sources]
    found: dict[str, list[float]] = {}
    for draw in range(draws):
        order = np.random.default_rng([place, draw]).permutation(measured)
        known, asked = order[:KNOWN].tolist(), order[KNOWN:].tolist()
        predictor = FewSamplesPredictor(prior)
        predictor.fit([LatencySample(str(n), table.nets[n], float(table.ms[place, n])) for n in known])
        predicted = {
            "few_samples": [one.latency_ms for one in predictor.predict([table.nets[n] for n in asked])],
            "nearest board": nearest(table, others, known, table.ms[place, known], asked),
        }
        for name, ms in predicted.items():
            found.setdefault(name, []).extend(np.abs(np.asarray(ms) / table.ms[place, asked] - 1).tolist())
    return found


def scores(errors: Sequence[float]) -> dict[str, float]:
    """By the names of ``GOALS``."""
    within = float(np.mean(np.array(errors) <= 0.1))
    return {"error_percent": 100 * float(np.mean(errors)), "within_10_percent": 100 * within}


def main() -> None:
    """Predicts every board, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="git directory of the public repository Tencent/ncnn")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--folds", type=int, default=FOLDS, help="fewer for a trial: the others are not predicted")
    options = parser.parse_args()
    table = Boards.read(options.table)
    rows: dict[str, Any] = {}
    names = sorted(set(table.boards))
    for fold in range(options.folds):
        left_out = names[fold::FOLDS]
        prior = learned_prior(table, left_out)
        for place, board in enumerate(table.boards):
            if board in left_out and np.isfinite(table.ms[place]).sum() >= MIN_MEASURED:
                errors = board_errors(table, place, prior, options.draws)
                rows[f"{place} {board}"] = {name: scores(each) for name, each in errors.items()}
                print(board, rows[f"{place} {board}"], file=sys.stderr)
    methods = next(iter(rows.values()))
    mean = {
        name: {score: float(np.mean([row[name][score] for row in rows.values()])) for score in GOALS}
        for name in methods
    }
    error, within = (mean["few_samples"][score] for score in GOALS)
    goals = [
        {"what": "mean error, %", "goal": "<= 8", "value": error, "met": error <= GOALS["error_percent"]},
        {"what": "within 10 %, %", "goal": ">= 80", "value": within, "met": within >= GOALS["within_10_percent"]},
    ]
    document = {"benchmark": "boards", "nets": list(table.names), "known": KNOWN, "draws": options.draws}
    document |= {
        "mean": mean,
        "boards": rows,
        "goals": goals,
        "table": _git(options.table, "rev-parse", "HEAD").strip(),
    }
    write_result(RESULTS / "boards.json", document | provenance())


def _git(repository: Path, *words: str) -> str:
    command = ["git", "--git-dir", str(repository), *words]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode(errors="replace")


if __name__ == "__main__":
    main()
