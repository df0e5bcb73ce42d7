"""The items of a campaign as model files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx

from devices.device import Candidate
from foundation.errors import UserError
from latency.campaign_items import CampaignItem
from latency.operators.synthesize import to_model


@contextmanager
def written_models(
    items: Sequence[CampaignItem], folder: Path, reject: Callable[[CampaignItem, UserError], None]
) -> Iterator[list[Candidate]]:
    """The items' models as files in the folder, until the block ends; those that cannot be written are rejected."""
    candidates: list[Candidate] = []
    try:
        for item in items:
            try:
                model = _model_of(item)
            except UserError as error:
                reject(item, error)
                continue
            candidates.append(Candidate(item.label, _save(model, folder / f"{item.label}.onnx")))
        yield candidates
    finally:
        for candidate in candidates:
            candidate.path.unlink(missing_ok=True)


def _model_of(item: CampaignItem) -> onnx.ModelProto:
    model = to_model(item.graph)
    if not model.graph.input:
        kinds = ", ".join(operator.kind for operator in item.graph.operators)
        raise UserError(
            f"operator {kinds}",
            seen="no input that changes from run to run",
            expected="at least one, as a model of it alone has",
            remedy="measure the whole model instead: `latseg measure`",
        )
    return model


def _save(model: onnx.ModelProto, path: Path) -> Path:
    try:
        onnx.save(model, path)
    except OSError as error:
        raise UserError(
            f"temporary model {path}",
            seen=error.strerror or str(error),
            expected="room in the temporary folder",
            remedy="free some space, or point TMPDIR to another disk, and run the command again",
        ) from error
    return path
