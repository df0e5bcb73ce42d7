"""Rank agreement of each evaluator with full training: Kendall's tau on 16 nets over the whole budget, and its cost.

The nets are spread over the number of operations, from the smallest to ``--max-flops``, under the limit of parameters.
Each is trained in full from random weights, without a teacher; each evaluator then estimates the same nets, none of
which it has seen. Resumable: what is trained stays in ``--folder``. Writes ``benchmarks/results/ranking.json``;
photographs stay where they are, and the test part is not read.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from scipy.stats import kendalltau, spearmanr

from provenance import RESULTS, commit, print_goals, provenance, save
from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler, feasible_sampler
from search.evaluators.registry import make_evaluator
from search.options import DataOptions, TrainingOptions
from search.spaces.portrait.space import PortraitSpace
from search.tasks.task import Task, TaskOptions

RESULT = RESULTS / "ranking.json"
SIZE = (128, 128)
SPACE = PortraitSpace(sizes=(SIZE,))
BUDGETS = Budgets(ParameterBudget(400_000))
GOAL_TAU = 0.7


def sampler(max_flops: float) -> FeasibleSampler:
    """Samples nets within the limits."""
    within_parameters = feasible_sampler(SPACE, BUDGETS)

    def sample(count: int, rng: Random) -> list[Architecture]:
        found: list[Architecture] = []
        while len(found) < count:
            found += [one for one in within_parameters(2 * count, rng) if SPACE.lower(one).flops <= max_flops]
        return found[:count]

    return sample


def spread_nets(count: int, sample: FeasibleSampler, seed: int) -> list[Architecture]:
    """Nets that keep the limits, equally far apart in the order of their operations."""
    sampled = sorted(sample(20 * count, Random(seed)), key=lambda one: SPACE.lower(one).flops)
    return [sampled[round(position * (len(sampled) - 1) / (count - 1))] for position in range(count)]


def make_task(options: argparse.Namespace, *, pretrained: bool = False) -> Task:
    training = TrainingOptions(
        teacher_epochs=0,
        supernet_steps=options.supernet_steps,
        winner_epochs=options.epochs,
        batch_size=options.batch_size,
        threads=options.threads,
        pretrained=pretrained,
    )
    data = DataOptions(source=options.data, size=SIZE, resize_masks=True)
    return SPACE.make_task(TaskOptions(data, training, options.training_seed, options.folder / "task"))


def full_training(nets: list[Architecture], options: argparse.Namespace) -> tuple[list[float], float]:
    """Quality of each net after full training, and seconds for each."""
    task, seconds, found = make_task(options), 0.0, []
    for number, net in enumerate(nets):
        trained = task.train(net, checkpoint=options.folder / "full" / f"{net.id}.safetensors")
        found.append(round(trained.quality.value, 4))
        seconds += trained.seconds
        flops = SPACE.lower(net).flops / 1e6
        sys.stderr.write(f"full {number}: {flops:.0f} MFLOPs, {SPACE.parameters(net)} parameters, {found[-1]:.4f}\n")
    return found, seconds / len(nets)


def counted(nets: list[Architecture]) -> list[dict[str, Any]]:
    """What stands in the place of an evaluator where nothing is trained."""
    values = {
        "FLOPs": [SPACE.lower(net).flops for net in nets],
        "parameters": [SPACE.parameters(net) for net in nets],
    }
    return [{"evaluator": name, "values": found, "preparation_seconds": 0} for name, found in values.items()]


def estimated(text: str, nets: list[Architecture], sample: FeasibleSampler, options: argparse.Namespace) -> Any:
    """Estimates of the nets, and seconds of the preparation and for each net."""
    name = text + options.shipped * ", shipped weights" + ("supernet" in text) * f", {options.supernet_steps} steps"
    name += f", seed {options.training_seed}" * bool(options.training_seed)
    folder = options.folder / re.sub(r"[:, ]+", "_", name)
    task = make_task(options, pretrained=options.shipped)
    evaluator = make_evaluator(text, SPACE, task, folder=folder, seed=options.training_seed)
    start = time.monotonic()
    evaluator.prepare(sample)
    prepared = time.monotonic()
    values = evaluator.quality(nets)
    return {
        "evaluator": name,
        "values": [round(value, 4) for value in values],
        "preparation_seconds": round(prepared - start, 1),
        "seconds_per_net": round((time.monotonic() - prepared) / len(nets), 2),
    }


def judged(row: dict[str, Any], full: list[float]) -> dict[str, Any]:
    """The row with its agreement with full training."""
    best = max(range(len(full)), key=lambda position: row["values"][position])
    return row | {
        "kendall_tau": round(float(kendalltau(row["values"], full).statistic), 3),
        "spearman": round(float(spearmanr(row["values"], full).statistic), 3),
        "full_quality_of_its_best": full[best],
    }


def earlier_rows(nets: list[Architecture], made: set[str], result: Path) -> list[dict[str, Any]]:
    """Rows of other evaluators for the same nets."""
    document = json.loads(result.read_text()) if result.exists() else {"nets": [], "evaluators": []}
    same = [net["id"] for net in document["nets"]] == [net.id for net in nets]
    return [row for row in document["evaluators"] if same and row["evaluator"] not in made]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", type=Path, default=Path("build/ranking"))
    parser.add_argument("--nets", type=int, default=16)
    parser.add_argument("--max-flops", type=float, default=3e8)
    parser.add_argument("--epochs", type=int, default=16, help="of full training")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--supernet-steps", type=int, default=400)
    parser.add_argument("--evaluators", nargs="*", default=["supernet", "training:epochs=1", "regression"])
    parser.add_argument("--shipped", action="store_true", help="evaluators begin with the weights that ship")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the nets")
    parser.add_argument("--training-seed", type=int, default=0, help="of estimates and of the split of the pictures")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    sample = sampler(options.max_flops)
    nets = spread_nets(options.nets, sample, options.seed + 100)
    full, seconds = full_training(nets, options)
    rows = [judged(row, full) for row in counted(nets)]
    for text in options.evaluators:
        rows.append({**judged(estimated(text, nets, sample, options), full), "commit": commit()})
        sys.stderr.write(f"{rows[-1]}\n")
    rows += earlier_rows(nets, {row["evaluator"] for row in rows}, options.result)
    best = max(row["kendall_tau"] for row in rows if "seconds_per_net" in row)
    document = {
        "data": options.data.partition(":")[0],
        "full_training": {"epochs": options.epochs, "seconds_per_net": round(seconds, 1), "values": full},
        "nets": [{"id": net.id, "parameters": SPACE.parameters(net), "flops": SPACE.lower(net).flops} for net in nets],
        "evaluators": rows,
        "goals": [{"what": "Kendall's tau", "goal": f">= {GOAL_TAU}", "value": best, "met": best >= GOAL_TAU}],
        "provenance": provenance(),
    }
    save(options.result, document)
    print_goals(document["goals"])


if __name__ == "__main__":
    main()
