"""How often does ``compare --fail-over 5%`` call a file slower than itself, and what does it change to compare again?

Each file is compared with itself ``--repetitions`` times, the files taking turns: once, and where that does not say
"not slower", by the middle one of three more comparisons (``confirmed_comparison``). The files are a net of about
.05 ms and random nets of ``portrait``. Writes ``benchmarks/results/compare_gate.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import onnx

import latseg
from latency.operators.synthesize import to_model
from latseg.confirmed_comparison import confirmed_comparison
from latseg.device_handle import DeviceHandle
from latseg.results import Comparison
from latseg.testing.nets import saved, small_net
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace

RESULT = RESULTS / "compare_gate.json"
ANSWERS = {True: "slower", False: "not slower", None: "undecided"}


def files(folder: Path, nets: int) -> list[Path]:
    """A net of few operators, and nets of the space at 128 x 128."""
    space, paths = PortraitSpace(sizes=((128, 128),)), [saved(small_net(), folder / "small.onnx")]
    for number, architecture in enumerate(space.sample(nets, Random(7))):
        paths.append(folder / f"portrait{number}.onnx")
        onnx.save(to_model(space.lower(architecture)), paths[-1])
    return paths


def answers(device: DeviceHandle, path: Path, percent: float, seed: int) -> tuple[list[Comparison], Comparison]:
    """All comparisons of a file with itself, and the one that decides."""
    taken: list[Comparison] = []

    def compare(attempt: int) -> Comparison:
        taken.append(device.compare(path, path, seed=seed + attempt))
        return taken[-1]

    return taken, confirmed_comparison(compare, percent)


def row(name: str, found: list[tuple[list[Comparison], Comparison]], percent: float) -> dict[str, Any]:
    ratios = [one.b.latency_ms / one.a.latency_ms for taken, _ in found for one in taken]
    return {
        "file": name,
        "ms": round(min(taken[0].a.latency_ms for taken, _ in found), 4),
        "first": dict(Counter(ANSWERS[taken[0].slower_by_over(percent)] for taken, _ in found)),
        "confirmed": dict(Counter(ANSWERS[decided.slower_by_over(percent)] for _, decided in found)),
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--nets", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument("--percent", type=float, default=5.0)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        device = latseg.Workspace(Path(name) / "workspace").device(options.device)
        paths = files(Path(name), options.nets)
        found: dict[str, list[tuple[list[Comparison], Comparison]]] = {path.stem: [] for path in paths}
        for turn in range(options.repetitions):
            for path in paths:
                found[path.stem].append(answers(device, path, options.percent, 10 * turn))
    rows = [row(file, each, options.percent) for file, each in found.items()]
    wrong = sum(each["confirmed"].get(ANSWERS[True], 0) for each in rows)
    document = {
        "benchmark": "compare_gate",
        "percent": options.percent,
        "repetitions": options.repetitions,
        "rows": rows,
        "goals": [{"what": "files called slower than themselves", "goal": "0", "value": wrong, "met": wrong == 0}],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
