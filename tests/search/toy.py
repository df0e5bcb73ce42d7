"""A small search space, a device with a formula for latency, and an evaluator with a formula for quality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from devices.device_info import DeviceInfo
from devices.measurement import Measurement
from foundation.errors import UserError
from foundation.progress import OnProgress, Progress, ignore_progress
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.spaces.plan_space import PlanSpace
from search.spaces.space import Slot
from segmentation.networks.plan import INPUT, Layer, Plan

SIZES = (32, 48, 64)
WIDTHS = (8, 12, 16, 24)
KERNELS = (1, 3, 5)
STAGES = 3
CHOICES = {"size": len(SIZES)} | {
    f"{slot}{stage}": count
    for stage in range(STAGES)
    for slot, count in (("depth", 4), ("width", len(WIDTHS)), ("kernel", len(KERNELS)))
}


class ToySpace(PlanSpace):
    """Three stages of plain convolutions; an empty stage has width and kernel 0."""

    name = "toy"

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(
            Slot(name, choices, ordered=True, optional=name.startswith("depth")) for name, choices in CHOICES.items()
        )

    def size(self) -> int:
        return len(SIZES) * (1 + 3 * len(WIDTHS) * len(KERNELS)) ** STAGES

    def sample(self, count: int, rng: Random) -> list[Architecture]:
        found = []
        for i in range(count):
            choices = {slot: rng.randrange(number) for slot, number in CHOICES.items()}
            choices |= {f"depth{stage}": (i + rng.randrange(2)) % 4 for stage in range(STAGES)}
            found.append(canonical(choices))
        return found

    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        return canonical(choices)

    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        mutant = architecture
        while mutant == architecture:
            choices = dict(architecture.choices)
            for slot in rng.sample(sorted(choices), rng.choice((1, 1, 2))):
                choices[slot] = rng.randrange(CHOICES[slot])
            mutant = canonical(choices)
        return mutant

    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        return canonical({slot: rng.choice((choice, second[slot])) for slot, choice in first.choices})

    def smaller(self, architecture: Architecture) -> list[Architecture]:
        lower = [canonical({**dict(architecture.choices), s: c - 1}) for s, c in architecture.choices if c > 0]
        return [found for found in dict.fromkeys(lower) if found != architecture]

    def smallest(self) -> list[Architecture]:
        return [canonical(dict.fromkeys(CHOICES, 0))]

    def validate(self, architecture: Architecture) -> None:
        choices = dict(architecture.choices)
        known = architecture.space == self.name and tuple(choices) == tuple(CHOICES)
        if not known or any(not 0 <= choice < CHOICES[slot] for slot, choice in choices.items()):
            raise UserError("architecture", seen=architecture.id, expected="a toy", remedy="take another one")
        if architecture != canonical(choices):
            raise UserError("architecture", seen=architecture.id, expected="a canonical toy", remedy="take another one")

    def plan(self, architecture: Architecture) -> Plan:
        layers: list[Layer] = [Layer("stem", "conv", (INPUT,), out_channels=8, kernel=3, stride=2, activation="relu")]
        for stage in range(STAGES):
            width, kernel = WIDTHS[architecture[f"width{stage}"]], KERNELS[architecture[f"kernel{stage}"]]
            for block in range(architecture[f"depth{stage}"]):
                name = f"stage{stage}.{block}.{width}.{kernel}"
                layers.append(Layer(name, "conv", (layers[-1].name,), width, kernel, activation="relu"))
        layers.append(Layer("up", "resize", (layers[-1].name,), factor=2))
        layers.append(Layer("logits", "conv", ("up",), out_channels=self.classes, normalise=False))
        return Plan(tuple(layers))

    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        return SIZES[architecture["size"]], SIZES[architecture["size"]]

    def widest(self) -> list[Plan]:
        largest = {slot: number - 1 for slot, number in CHOICES.items()}
        return [
            self.plan(canonical(largest | {f"width{stage}": width, f"kernel{stage}": kernel}))
            for stage in range(STAGES)
            for width in range(len(WIDTHS))
            for kernel in range(len(KERNELS))
        ]


def canonical(choices: Mapping[str, int]) -> Architecture:
    fixed = dict(choices)
    for stage in range(STAGES):
        if fixed[f"depth{stage}"] == 0:
            fixed |= {f"width{stage}": 0, f"kernel{stage}": 0}
    return Architecture("toy", tuple((slot, fixed[slot]) for slot in CHOICES))


@dataclass(frozen=True)
class Bounded:
    latency_ms: float
    upper_ms: float


@dataclass(frozen=True)
class FormulaPredictor:
    """Latency by formula; ``bias`` scales the truth into a prediction, ``slack`` the prediction into its bound."""

    ms_per_mflop: float = 0.2
    ms_per_operator: float = 0.1
    slack: float = 1.05
    bias: float = 1.0
    noise: float = 0.0
    """Spread of the prediction's error from net to net, drawn from the net itself."""

    def true_ms(self, graph: OperatorGraph) -> float:
        return self.ms_per_mflop * graph.flops / 1e6 + self.ms_per_operator * len(graph.operators)

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Bounded]:
        likely = [self.true_ms(graph) * self.bias * math.exp(self._error(graph)) for graph in graphs]
        return [Bounded(ms, ms * self.slack) for ms in likely]

    def _error(self, graph: OperatorGraph) -> float:
        return Random(repr((graph.flops, len(graph.operators)))).gauss(0.0, self.noise) if self.noise else 0.0


class FormulaEvaluator(Evaluator):
    """Quality by formula; remembers what it was asked."""

    name = "formula"

    def __init__(self) -> None:
        self.space = ToySpace()
        self.asked: list[Architecture] = []
        self.prepared = 0

    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        self.prepared += 1
        on_progress(Progress("prepare", len(sampler(4, Random(0))), 4))

    def weights(self, architecture: Architecture) -> None:
        return None

    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        self.asked.extend(architectures)
        return [quality_of(architecture) for architecture in architectures]


def quality_of(architecture: Architecture) -> float:
    """Grows with everything, with a preference for wide late stages and for a 3 x 3 in the middle."""
    total = 0.3 * architecture["size"]
    for stage in range(STAGES):
        depth, width, kernel = (architecture[f"{slot}{stage}"] for slot in ("depth", "width", "kernel"))
        total += depth**0.5 * (1 + 0.4 * width * stage - 0.1 * width) * (1.5 if kernel == 1 and stage == 1 else 1.0)
        total += 0.2 * kernel * (stage == 2)
    return 1.0 - math.exp(-0.25 * total)


@dataclass
class NoisyDevice:
    """A device whose measurements scatter around the formula's truth."""

    predictor: FormulaPredictor
    space: ToySpace = field(default_factory=ToySpace)
    name: str = "toy"
    noise: float = 0.03
    simulated: bool = False
    seed: int = 0
    measured: list[Architecture] = field(default_factory=list)

    def true_ms(self, architecture: Architecture) -> float:
        return self.predictor.true_ms(self.space.lower(architecture))

    def measure(self, architecture: Architecture) -> dict[str, Measurement]:
        """A measurement of 25 blocks; the interval is that of their mean."""
        rng = Random(f"{self.seed}/{len(self.measured)}")
        self.measured.append(architecture)
        blocks = [self.true_ms(architecture) * (1 + rng.gauss(0.0, self.noise)) for _ in range(25)]
        middle = sum(blocks) / len(blocks)
        half = 2.2 * (sum((b - middle) ** 2 for b in blocks) / 24) ** 0.5 / 5
        blank = Measurement(
            label=architecture.id,
            model_sha256="",
            device=DeviceInfo(self.name, "toy", "toy", "1", 1, "float32", simulated=self.simulated),
            latency_ms=middle,
            interval_ms=(middle - half, middle + half),
            raw_median_ms=middle,
            minimum_ms=min(blocks),
            p90_ms=max(blocks),
            p99_ms=max(blocks),
            first_run_ms=middle,
            load_ms=0.0,
            nominal_reference_ms=1.0,
            converged=True,
            cpu_per_wall=1.0,
            blocks=(),
        )
        return {self.name: replace(blank)}


def certify(measurement: Measurement, budget_ms: float, device: str) -> bool:
    """The certificate's rule with a noise floor of 3 %."""
    return not measurement.simulated and measurement.interval_ms[1] * 1.03 <= budget_ms
