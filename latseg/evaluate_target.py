"""What a user names to be evaluated: a run, a bundle or an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

from foundation.errors import UserError
from latseg.evaluation import Evaluation, Part, evaluate_bundle, evaluate_model
from latseg.open_workspace import OpenWorkspace
from latseg.run_handle import RunHandle
from search.options import DataOptions


def evaluate_target(
    workspace: OpenWorkspace,
    target: str | Path,
    data: DataOptions | None,
    part: str,
    size: tuple[int, int] | None,
    normalisation: str | None,
    seed: int,
) -> Evaluation:
    """As ``Workspace.evaluate``."""
    if part not in get_args(Part):
        raise UserError("--part", seen=repr(part), expected=" or ".join(get_args(Part)), remedy="correct it")
    known, path = cast("Part", part), Path(target)
    bundle = path.is_dir() and (path / "manifest.json").exists()
    model = not bundle and (path.suffix == ".onnx" or path.is_file())
    if normalisation is not None and not model:
        raise UserError(
            "--normalise", seen=f"{normalisation} for {target}", expected="an ONNX file from elsewhere",
            remedy="leave it out: runs and bundles state it",
        )  # fmt: skip
    if not bundle and not model:
        run = RunHandle(workspace, workspace.folder.run(str(target)))
        return run.evaluate(data, part=known, size=size)
    if data is None:
        raise UserError("--data", seen="nothing", expected="a source of data", remedy="write for example folder:PATH")
    options = data if size is None else data.model_copy(update={"size": size})
    with workspace.progress("evaluate") as report:
        if bundle:
            return evaluate_bundle(path, options, known, seed, report)
        return evaluate_model(path, options, known, seed, report, normalisation=normalisation, warn=workspace.warn)
