"""The tables of an analysis, as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from io import StringIO

import numpy as np

from search.analysis import diversity
from search.analysis.analysed import AnalysedLog
from search.analysis.columns import PARAMETERS_COUNT
from search.analysis.device_columns import predicted_and_measured
from search.analysis.findings.finding import Finding
from search.analysis.importance import SlotImportance
from search.analysis.pictures.fronts import front_of
from search.analysis.search_log import ABSENT, PARAMETERS, SearchLog, common_costs
from search.analysis.windows import windows


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A table with its header."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]

    @property
    def content(self) -> bytes:
        """The file; unknown values are empty."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return text.getvalue().encode()


def shared_tables(
    logs: Sequence[SearchLog], findings: Sequence[Finding], hypervolumes: dict[str, float]
) -> Iterator[CsvTable]:
    """Tables of all logs together."""
    rows = [(each.log, each.name, each.fault, each.text, each.remedy) for each in findings]
    yield CsvTable("findings", ("log", "name", "fault", "text", "remedy"), rows)
    yield CsvTable("hypervolume", ("log", "hypervolume"), list(hypervolumes.items()))
    yield CsvTable("fronts", ("log", "cost", "value", "quality"), list(_fronts(logs)))


def tables_of(analysed: AnalysedLog) -> Iterator[CsvTable]:
    """Tables of one log."""
    log = analysed.log
    yield _trials(log)
    yield CsvTable("windows", ("first", "last", "minimum", "q1", "median", "q3", "maximum"), list(_windows(log)))
    if log.strategies:
        yield CsvTable("strategies", ("strategy", "trials", "best", "median"), list(_strategies(log)))
    if log.rejected:
        yield CsvTable("rejections", ("limit", "candidates"), list(log.rejected.items()))
    if analysed.diversity is not None:
        yield CsvTable(
            "diversity", ("last_trial", "edit_distance", "mean_entropy_bits"), list(diversity.rows(analysed.diversity))
        )
        bits = analysed.diversity.entropy_bits
        entropy = list(zip(analysed.diversity.slots, bits[:, 0], bits.mean(axis=1), bits[:, -1], strict=True))
        yield CsvTable("entropy", ("slot", "first_bits", "mean_bits", "last_bits"), entropy)
    if analysed.importance:
        header = tuple(each.name for each in fields(SlotImportance))
        yield CsvTable("importance", header, [astuple(slot) for slot in analysed.importance])


def _trials(log: SearchLog) -> CsvTable:
    """The log itself; ``read_csv`` reads the same numbers again, but for rewards and the best so far."""
    columns: dict[str, Sequence[object]] = {
        "trial": list(log.numbers),
        "quality": list(log.quality),
        "best_so_far": list(log.best_so_far),
        **{PARAMETERS_COUNT if cost.name == PARAMETERS else cost.name: list(cost.values) for cost in log.costs},
        **{name: list(values) for name, values in predicted_and_measured(log).items()},
    }
    for name, values in (("reward", log.rewards), ("seconds", log.seconds), ("trained", log.trained)):
        if values is not None:
            columns[name] = list(values)
    if log.strategies:
        columns["strategy"] = log.strategies
    if log.slots:
        columns["genotype"] = [_genotype(log, choices.tolist()) for choices in log.choices]
    return CsvTable("trials", tuple(columns), list(zip(*columns.values(), strict=True)))


def _strategies(log: SearchLog) -> Iterator[tuple[object, ...]]:
    for name, mine in log.by_strategy().items():
        yield name, int(mine.sum()), float(log.quality[mine].max()), float(np.median(log.quality[mine]))


def _genotype(log: SearchLog, choices: list[int]) -> str:
    """An object of the slots that a trial has."""
    return json.dumps({slot: choice for slot, choice in zip(log.slots, choices, strict=True) if choice != ABSENT})


def _windows(log: SearchLog) -> Iterator[tuple[object, ...]]:
    for first, last, quality in windows(log):
        yield first, last, *np.quantile(quality, (0, 0.25, 0.5, 0.75, 1))


def _fronts(logs: Sequence[SearchLog]) -> Iterator[tuple[object, ...]]:
    for name in common_costs(logs):
        for log in logs:
            cost = log.cost(name)
            assert cost is not None
            for value, quality in zip(*front_of(log.quality, cost.values), strict=True):
                yield log.name, name, value, quality


def _cell(value: object) -> object:
    if isinstance(value, float):
        return repr(float(value)).removesuffix(".0") if np.isfinite(value) else ""
    return int(value) if isinstance(value, bool) else value
