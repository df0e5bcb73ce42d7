"""The pictures of an analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from search.analysis.analysed import AnalysedLog
from search.analysis.findings.agreement import known_pairs, trained_pairs
from search.analysis.pictures.agreement import draw_agreement
from search.analysis.pictures.course import draw_course
from search.analysis.pictures.diversity import draw_diversity
from search.analysis.pictures.fronts import draw_fronts
from search.analysis.pictures.importance import draw_importance
from search.analysis.pictures.parameters import draw_parameters
from search.analysis.pictures.quality import draw_best_so_far, draw_windows
from search.analysis.pictures.rejections import draw_rejections
from search.analysis.search_log import PARAMETERS, SearchLog, common_costs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MIN_PAIRS = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that can be drawn."""

    name: str
    caption: str
    draw: Callable[[], Figure]


def shared_pictures(logs: Sequence[SearchLog]) -> Iterator[Picture]:
    """Pictures of all logs together."""
    yield Picture("best_so_far", "The best quality so far", partial(draw_best_so_far, logs))
    if common_costs(logs):
        yield Picture("fronts", "Trials and Pareto fronts, for each cost by itself", partial(draw_fronts, logs))


def pictures_of(analysed: AnalysedLog) -> Iterator[Picture]:
    """Pictures of one log; those for which it has no data are left out."""
    log = analysed.log
    yield Picture("windows", "The distribution of quality in windows of trials", partial(draw_windows, log))
    yield Picture(
        "course",
        "Costs, quality and reward over the trials" if log.rewards is not None else "Costs and quality over the trials",
        partial(draw_course, log),
    )
    parameters = log.cost(PARAMETERS)
    if parameters is not None:
        draw = partial(draw_parameters, parameters, analysed.levels)
        yield Picture("parameters", "The distribution of the parameter counts", draw)
    if log.rejected:
        yield Picture("rejections", "Rejected candidates by limit", partial(draw_rejections, log.rejected))
    if analysed.diversity is not None:
        caption = "How different the trials of a sliding window are: edit distance, and entropy by slot"
        yield Picture("diversity", caption, partial(draw_diversity, analysed.diversity))
    if analysed.importance:
        caption = "How much of the variance of quality each slot explains"
        yield Picture("importance", caption, partial(draw_importance, analysed.importance))
    yield from _agreements(log)


def _agreements(log: SearchLog) -> Iterator[Picture]:
    trained = trained_pairs(log)
    if len(trained) >= _MIN_PAIRS:
        labels = (f"{log.quality_label} estimated by the search", "quality after full training")
        draw = partial(draw_agreement, trained, labels, same_unit=False)
        yield Picture("trained", "Estimated quality and quality after full training", draw)
    for device, found in log.latencies.items():
        measured = known_pairs(found)
        if len(measured) >= _MIN_PAIRS:
            draw = partial(draw_agreement, measured, (f"predicted on {device}, ms", "measured, ms"), same_unit=True)
            yield Picture(f"latency_{device}", f"Predicted and measured latency on {device}", draw)
