"""``verify`` beside 0, 1, 2 and 4 busy loops: true verdicts, "cannot be told", false alarms and false passes.

Before each pair of verifications the network is measured on the quiet machine (the middle one of three counts), because
its latency there changes by some percent within minutes. It gets two certificates: one with a budget that it keeps (the
certified upper end), one with a budget 3 % below its latency, which it must never pass. The busy loops run during
``verify`` only. Writes ``benchmarks/results/busy.json``; with ``--continue`` the repeats of an earlier run in it count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
from busy_loops import busy_loops

from devices.device import Candidate, Device
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from export.bundle.certificate import Certificate, certify
from export.bundle.check import Check
from export.bundle.decision import Budget, decide
from export.to_onnx import export_module
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace
from segmentation.networks.network import Network

RESULT = RESULTS / "busy.json"
NOISE_FLOOR_PERCENT = 1.0
QUIET = 3
"""Measurements without busy loops from which a certificate is made."""
TOO_LOW = 0.97
LOOPS = (0, 1, 2, 4)
VERDICTS = ("true_pass", "true_alarm", "undecided", "false_alarm", "false_pass")


def network(folder: Path, seed: int) -> Path:
    """A network of the space of some milliseconds, as an ONNX file."""
    space = PortraitSpace(sizes=[(128, 128)])
    architecture = max(space.sample(8, Random(seed)), key=lambda each: space.lower(each).flops)
    image = torch.zeros(1, 3, *space.input_size(architecture))
    return export_module(Network(space.plan(architecture)), folder / "model.onnx", {"image": image})


@dataclass
class Subject:
    """The network on its device; ``quiet_ms`` collects its latencies without busy loops."""

    device: Device
    path: Path
    nominal_ms: float
    quiet_ms: list[float] = field(default_factory=list)

    def measure(self, seed: int) -> Measurement:
        """Once."""
        (found,) = self.device.measure(
            [Candidate("net", self.path)],
            nominal_reference_ms=self.nominal_ms,
            protocol=MeasurementProtocol(),
            seed=seed,
        )
        assert isinstance(found, Measurement), found
        return found

    def budgets(self, repeat: int) -> dict[bool, Certificate]:
        """Certificates of the network as it is now: with a budget that it keeps, and with one that it does not."""
        quiet = sorted((self.measure(1000 + 10 * repeat + n) for n in range(QUIET)), key=lambda one: one.latency_ms)
        self.quiet_ms += [one.latency_ms for one in quiet]
        middle = quiet[QUIET // 2]
        found = certify(middle, budget_ms=1e6, noise_floor_percent=NOISE_FLOOR_PERCENT)
        assert isinstance(found, Certificate), found
        limits = {True: found.upper_ms, False: TOO_LOW * middle.latency_ms}
        return {kept: found.model_copy(update={"budget_ms": limit}) for kept, limit in limits.items()}

    def verify(self, repeat: int, budgets: dict[bool, Certificate]) -> list[str]:
        """The verdicts on the two budgets."""
        checks = {
            kept: decide(
                "budget", Budget(one.budget_ms, one.model_sha256), lambda attempt: self.measure(100 * repeat + attempt)
            )
            for kept, one in budgets.items()
        }
        print(*checks.values(), sep="\n", file=sys.stderr)
        return [verdict(check, kept=kept) for kept, check in checks.items()]


def verdict(check: Check, *, kept: bool) -> str:
    if check.undecided:
        return "undecided"
    if check.ok:
        return "true_pass" if kept else "false_pass"
    return "false_alarm" if kept else "true_alarm"


def beside(loops: int, repeat: int, subject: Subject) -> list[str]:
    """The verdicts beside so many busy loops."""
    budgets = subject.budgets(repeat)
    with busy_loops(loops):
        return subject.verify(repeat, budgets)


def document(counts: dict[int, Counter[str]], repeats: int, subject: Subject) -> dict[str, Any]:
    """What is known after so many repeats."""
    false = {name: sum(one[name] for one in counts.values()) for name in ("false_alarm", "false_pass")}
    return {
        "benchmark": "busy",
        "noise_floor_percent": NOISE_FLOOR_PERCENT,
        "quiet_latency_ms": {
            "least": min(subject.quiet_ms),
            "greatest": max(subject.quiet_ms),
        },
        "not_kept_budget": f"{TOO_LOW} of the latency",
        "repeats": repeats,
        "rows": [{"busy_loops": loops, **{name: one[name] for name in VERDICTS}} for loops, one in counts.items()],
        "goals": [{"what": name, "goal": "0", "value": count, "met": count == 0} for name, count in false.items()],
    }


def earlier(path: Path, counts: dict[int, Counter[str]], subject: Subject) -> int:
    """Takes over the verdicts of an earlier run; the number of its repeats."""
    found = json.loads(path.read_text())
    for row in found["rows"]:
        counts[row["busy_loops"]].update({name: row[name] for name in VERDICTS})
    subject.quiet_ms += [found["quiet_latency_ms"][name] for name in ("least", "greatest")]
    return int(found["repeats"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--continue", action="store_true", dest="go_on", help="after the repeats of an earlier run")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    device = get_device("cpu")
    counts: dict[int, Counter[str]] = {loops: Counter() for loops in LOOPS}
    with tempfile.TemporaryDirectory() as name:
        path = network(Path(name), options.seed)
        subject = Subject(device, path, device.nominal_reference_ms())
        first = earlier(options.output, counts, subject) if options.go_on else 0
        for repeat in range(first, options.repeats):
            for loops in LOOPS:
                counts[loops].update(beside(loops, len(LOOPS) * repeat + loops, subject))
            print(repeat, {loops: dict(one) for loops, one in counts.items()}, file=sys.stderr)
            write_result(options.output, document(counts, repeat + 1, subject) | provenance())


if __name__ == "__main__":
    main()
