"""Keeps how a trained winner does on the test part, for the report. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from devices.model_file import sha256_of
from foundation.atomic_file import write_file
from search.run_folder import RunFolder
from search.winners.held_out_record import HeldOutRecord, ShownPicture, write_held_out_record
from segmentation.data.source import DataSource, PairDataset
from segmentation.outcome_sheet import Outcome, outcome_sheet
from segmentation.part_scores import PartScores, PictureScore, Predict

Rank = Literal["best", "median", "worst"]
_BEST, _WORST = 2, 3


def keep_held_out(
    folder: RunFolder, net_id: str, predict: Predict, source: DataSource, scores: PartScores
) -> HeldOutRecord | None:
    """Writes scores and the best, the median and the worst pictures into the run's folder.

    Returns:
        What was written; None where no pixel of the test part has a label.

    Raises:
        OSError: the folder cannot be written.
        UserError: the checkpoint, or a picture, can no longer be read.
    """
    chosen = _chosen(scores.pictures)
    if not chosen:
        return None
    outcomes = [_outcome(predict, source.test, rank, score) for rank, score in chosen]
    named = [
        replace(outcome, caption=f"{outcome.caption}, {Path(score.picture).name}")
        for outcome, (_, score) in zip(outcomes, chosen, strict=True)
    ]
    write_file(folder.held_out_sheet(net_id), outcome_sheet(named))
    write_file(folder.held_out_sheet(net_id, photographs=False), outcome_sheet(outcomes, photographs=False))
    record = HeldOutRecord(
        weights_sha256=sha256_of(folder.training(net_id)),
        classes=source.classes,
        size=source.test.size,
        pictures=scores.quality.images,
        boundary_f1=scores.boundary_f1,
        confusion=scores.confusion,
        calibration=scores.reliability or (),
        shown=tuple(ShownPicture(rank=rank, iou=score.iou) for rank, score in chosen),
    )
    write_held_out_record(folder.held_out(net_id), record)
    return record


def _chosen(scores: Sequence[PictureScore]) -> list[tuple[Rank, PictureScore]]:
    """From the best to the worst, each once; of ``scores`` the worst is the first."""
    last = len(scores) - 1
    wanted: list[tuple[Rank, int]] = [("best", last), ("worst", 0), ("median", last // 2)]
    wanted += [("best", last - place) for place in range(1, _BEST)]
    wanted += [("worst", place) for place in range(1, _WORST)]
    ranks: dict[int, Rank] = {}
    for rank, place in wanted:
        if 0 <= place <= last:
            ranks.setdefault(place, rank)
    return [(ranks[place], scores[place]) for place in sorted(ranks, reverse=True)]


def _outcome(predict: Predict, part: PairDataset, rank: Rank, score: PictureScore) -> Outcome:
    picture, truth = part.make(score.index)
    return Outcome(f"{rank}: mean IoU {score.iou:.3f}", picture, truth, predict(picture).labels)
