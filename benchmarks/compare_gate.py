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
PERCENT = 5.0
NETS = 3
ANSWERS = {True: "slower", False: "not slower", None: "undecided"}


def files(folder: Path) -> list[Path]:
    """A net of few operators, and nets of the space at 128 x 128."""
    space, paths = PortraitSpace(sizes=((128, 128),)), [saved(small_net(), folder / "small.onnx")]
    for number, architecture in enumerate(space.sample(NETS, Random(7))):
        paths.append(folder / f"portrait{number}.onnx")
        onnx.save(to_model(space.lower(architecture)), paths[-1])
    return paths


def answers(device: DeviceHandle, path: Path, seed: int) -> tuple[list[Comparison], Comparison]:
    """All comparisons of a file with itself, and the one that decides."""
    taken: list[Comparison] = []

    def compare(attempt: int) -> Comparison:
        taken.append(device.compare(path, path, seed=seed + attempt))
        return taken[-1]

    return taken, confirmed_comparison(compare, PERCENT)


def row(name: str, found: list[tuple[list[Comparison], Comparison]]) -> dict[str, Any]:
    ratios = [one.b.latency_ms / one.a.latency_ms for taken, _ in found for one in taken]
    return {
        "file": name,
        "ms": round(min(taken[0].a.latency_ms for taken, _ in found), 4),
        "first": dict(Counter(ANSWERS[taken[0].slower_by_over(PERCENT)] for taken, _ in found)),
        "confirmed": dict(Counter(ANSWERS[decided.slower_by_over(PERCENT)] for _, decided in found)),
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        device = latseg.Workspace(Path(name) / "workspace").device("cpu")
        paths = files(Path(name))
        found: dict[str, list[tuple[list[Comparison], Comparison]]] = {path.stem: [] for path in paths}
        for turn in range(options.repetitions):
            for path in paths:
                found[path.stem].append(answers(device, path, 10 * turn))
    rows = [row(file, each) for file, each in found.items()]
    wrong = sum(each["confirmed"].get(ANSWERS[True], 0) for each in rows)
    document = {
        "benchmark": "compare_gate",
        "percent": PERCENT,
        "repetitions": options.repetitions,
        "rows": rows,
        "goals": [{"what": "files called slower than themselves", "goal": "0", "value": wrong, "met": wrong == 0}],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
