"""Trains nets of the ``portrait`` space on synthetic scenes, for the evaluator ``pretrained`` that ships.

The first nets are random; afterwards each one is the most promising of many at its number of operations, by the
regression on those before it (mean plus one standard deviation); the last ones are what an evolution takes for the
best, as a search would: where the regression promises too much, it learns so. Each sees 4,800 pictures of 96 x 96
pixels, which is quick and leaves the resolutions' ratios as they are. At the end, what a larger input gives: nets
designed by hand are trained on scenes of 192 x 192 pixels with an input of 96 x 96 and of 192 x 192. Resumable: each
net is kept when it is trained. Writes ``search/spaces/portrait/trained_nets.json``; about 80 minutes on one core.
The file that ships has nets that were picked otherwise, too (``docs/benchmarks.md``).
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import torch
from hand_designed import DESIGNS, architecture

from search.architecture import Architecture
from search.evaluators.graph_features import PIXELS
from search.evaluators.quality_regression import QualityRegression
from search.spaces.portrait.space import PortraitSpace
from search.spaces.portrait.trained_nets import FILE
from search.spaces.trained_nets import TrainedNets
from segmentation.data.source import PERSON_CLASSES
from segmentation.data.synthetic.source import SyntheticPeople, SyntheticSource
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train

SPACE = PortraitSpace(sizes=((128, 128),))
TRAINED_AT = (96, 96)
MEGAFLOPS = (14, 24, 40, 60, 90, 130)
"""Targets at 128 x 128, in turn."""
LARGE_MEGAFLOPS = (170, 230, 300, 400)
"""Those of the nets after the first 95."""
MOST_PARAMETERS = 400_000
RANDOM_NETS = 24
EXPLORING_NETS = 70
"""The random ones included."""
SMALL_NETS = 95
EXPLORING_LARGE_NETS = 6
GENERATIONS = 12
POOL = 120
PARENTS = 16
SIZED = ("slim", "plain", "expanded")
"""Designs with which input sizes are compared."""


@dataclass(frozen=True, slots=True)
class Trainings:
    """All alike."""

    steps: int
    seed: int

    def source(self, size: tuple[int, int]) -> SyntheticSource:
        """Scenes of this size."""
        return SyntheticSource(
            "scenes",
            PERSON_CLASSES,
            train=SyntheticPeople(3000, seed=100, size=size),
            validation=SyntheticPeople(300, seed=101, size=size),
            test=SyntheticPeople(0, size=size),
        )

    def quality(self, net: Architecture, size: tuple[int, int], source: SyntheticSource) -> float:
        """Mean IoU of a net with an input of this size."""
        torch.manual_seed(self.seed)
        settings = TrainSettings(input_size=size, steps=self.steps, batch_size=16, evaluate_every=10_000, threads=1)
        trained = train(SPACE.build(net), source, settings)
        sys.stderr.write(
            f"{SPACE.lower(net).flops / 1e6:.0f} MFLOPs, {SPACE.parameters(net)} parameters, input {size[0]}: "
            f"{trained.quality.mean_iou:.4f} after {trained.seconds:.0f} s\n"
        )
        return round(trained.quality.mean_iou, 4)


def nets_near(flops: float, parents: list[Architecture], rng: Random, count: int) -> list[Architecture]:
    """Random nets, and neighbours and children of the parents, with this number of operations (a fifth off)."""
    found: dict[Architecture, None] = {}
    while len(found) < count:
        pool = SPACE.sample(30, rng)
        for first in parents:
            pool += [SPACE.mutate(first, rng), SPACE.mutate(SPACE.crossover(first, rng.choice(parents), rng), rng)]
        for one in pool:
            if 0.8 < SPACE.lower(one).flops / flops < 1.25 and SPACE.parameters(one) <= MOST_PARAMETERS:
                found[one] = None
    return list(islice(found, count))


def next_net(known: TrainedNets, seed: int) -> Architecture:
    """A net that is not yet known."""
    count = len(known.nets)
    rng = Random(f"{seed}/{count}")
    large = count - SMALL_NETS
    flops = 1e6 * (MEGAFLOPS[count % len(MEGAFLOPS)] if large < 0 else LARGE_MEGAFLOPS[large % len(LARGE_MEGAFLOPS)])
    if count < RANDOM_NETS:
        return nets_near(flops, [], rng, 1)[0]
    regression = QualityRegression([SPACE.lower(net) for net in known.nets], known.qualities, without={PIXELS})
    best = sorted(range(count), key=lambda place: -known.qualities[place])[:PARENTS]
    parents = [known.nets[place] for place in best]
    exploring, front = count < EXPLORING_NETS or 0 <= large < EXPLORING_LARGE_NETS, list[Architecture]()
    for _ in range(1 if exploring else GENERATIONS):
        near = nets_near(flops, front or parents, rng, POOL)
        pool = [one for one in dict.fromkeys(front + near) if one not in known.nets]
        mean, deviation = regression.predict([SPACE.lower(one) for one in pool])
        worth = mean + deviation if exploring else mean
        front = [pool[place] for place in np.argsort(-worth)[:PARENTS]]
    return front[0]


def gain_per_doubling(trainings: Trainings) -> float:
    """Mean IoU that an input of twice as many pixels gives, on average."""
    large = (2 * TRAINED_AT[0], 2 * TRAINED_AT[1])
    source = trainings.source(large)
    gains = []
    for name in SIZED:
        net = architecture(DESIGNS[name])
        at_large, at_small = (trainings.quality(net, size, source) for size in (large, TRAINED_AT))
        gains.append((at_large - at_small) / math.log2(math.prod(large) / math.prod(TRAINED_AT)))
    sys.stderr.write(f"gains of twice as many pixels: {gains}\n")
    return round(sum(gains) / len(gains), 4)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=112)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=FILE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trainings = Trainings(options.steps, options.seed)
    known = TrainedNets.read(options.result) if options.result.exists() else TrainedNets()
    source = trainings.source(TRAINED_AT)
    while len(known.nets) < options.nets:
        net = next_net(known, options.seed)
        known = known.with_net(net, trainings.quality(net, TRAINED_AT, source))
        known.write(options.result)
    if not known.gain_per_doubling:
        replace(known, gain_per_doubling=gain_per_doubling(trainings)).write(options.result)


if __name__ == "__main__":
    main()
