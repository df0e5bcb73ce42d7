"""What ``latseg demo`` says at its end."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latseg.console import plain, table
from latseg.units import format_count


def drawn_demo(
    workspace: Path, document: Mapping[str, Any], winner: Mapping[str, Any], parameters: str, size: str
) -> list[Any]:
    """A table of what came of it, and what to do next.

    Args:
        workspace: of the demo.
        document: the union of the documents of its commands.
        winner: of the search.
        parameters: the limit on size, as it was written.
        size: of the nets' input, likewise.
    """
    scores = document["predictors"]["arbitrated"]
    measured = next((file["measured_ms"] for file in document["files"] if file["measured_ms"]), None)
    excluded = 100 * (1 - document["feasible_fraction"])
    certified = "yes, by measurement" if document["certified"] else "NO: " + "; ".join(document["refusals"])
    rows = [
        (
            "device",
            f"{document['hardware']}, ONNX Runtime, one thread; noise floor {document['noise_floor_percent']:.1f} %",
        ),
        ("measured to learn from", f"{document['models']} nets and {document['operators']} single operators"),
        ("latency prediction", f"off by {scores['mape_percent']:.1f} % on {document['test_models']} nets held out"),
        (
            "budget",
            f"{document['budget_ms']:g} ms and {parameters} parameters: rules out {excluded:.0f} % of the space",
        ),
        ("bound near the budget", "; ".join(_near(near) for near in document["near_budget"])),
        ("nets tried", f"{document['trials']}, none of them above the budget by prediction"),
        ("winner", f"{winner['id']}: {format_count(winner['parameters'])} parameters"),
        (
            "measured latency",
            "not certified" if measured is None else f"{measured:.3f} ms for the file that is delivered",
        ),
        ("certified", certified),
        ("verified again", "yes" if document["ok"] else "NO"),
        ("quality", f"mean IoU {100 * document['quality']['mean_iou']:.1f} % on drawn portraits that it never saw"),
        ("time", f"{document['total_seconds'] / 60:.1f} minutes"),
    ]
    half = document["budget_ms"] / 2
    activate = Path(sys.executable).with_name("activate")
    go_on = [
        *(
            [f"once in this shell       source {activate}"]
            if shutil.which("latseg") is None and activate.exists()
            else []
        ),
        f"look at the report       {document['path']}",
        f"look at the cut-outs     {Path(document['outputs'][0]['cutout']).parent}",
        f"your own photographs     latseg segment {document['bundle']} PHOTO.jpg",
        f"check the promise again  latseg verify {document['bundle']}",
        f"another budget           latseg --workspace {workspace} search --max-latency {half:.2g}ms --size {size} "
        "--data folder:DIR",
    ]
    return [
        table("From nothing to a certified net", ("what", "result"), rows),
        "Go on:",
        *(f"  {plain(line)}" for line in go_on),
    ]


def _near(near: Mapping[str, Any]) -> str:
    before, after = near["factor_before"], near["factor_after"]
    return f"{near['nets']} random nets measured there: bound {before:.3f} -> {after:.3f} times the prediction"
