"""The trainings of ``on_gpu.py``, the more important ones first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hand_designed import DESIGNS

SMALL, LARGE = (128, 128), (256, 256)
SEEDS = (0, 1, 2)
TEACHER = "teacher"
PEOPLE, FACES, PARTS = "people", "celebamask", "faces"
"""Photographs of people, faces with the person's mask, and faces with 19 classes."""

RECIPE: dict[str, dict[str, Any]] = {
    "recipe": {},
    "no moving average": {"ema_decay": 0.0},
    "moving average .999": {"ema_decay": 0.999},
    "no weight decay": {"weight_decay": 0.0},
    "weight decay 1e-2": {"weight_decay": 1e-2},
    "learning rate 3.5e-3": {"learning_rate": 3.5e-3},
    "learning rate 1.4e-2": {"learning_rate": 1.4e-2},
}
TAUGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "no teacher": ("none", {}),
    "own teacher, temperature 1": ("own", {"temperature": 1.0}),
    "own teacher, temperature 2": ("own", {}),
    "selfie, temperature 1": ("selfie", {"temperature": 1.0}),
    "selfie, temperature 2": ("selfie", {}),
    "selfie, more photographs": ("more", {}),
}
"""Teacher, and what differs from the settings."""


@dataclass(frozen=True)
class Job:
    """One training."""

    kind: str
    net: str
    """As of ``quality.py``, or ``teacher``."""
    data: str
    size: tuple[int, int] = SMALL
    seed: int = 0
    updates: int = 2250
    scene_steps: int = 1500
    variant: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the settings."""
    teacher: str = "none"
    scenes: int = 4000
    """Different ones."""
    scene_size: tuple[int, int] = SMALL

    @property
    def key(self) -> str:
        """Equal for equal jobs."""
        return json.dumps(list(asdict(self).values()))


def key_of(row: dict[str, Any]) -> str:
    """``Job.key`` of the job that made a row."""
    return json.dumps([row.get(name, each.default) for name, each in Job.__dataclass_fields__.items()])


def jobs(nets: Path) -> Iterator[Job]:
    """All trainings of the nets in a folder, of the designs and of known networks."""
    searched = [f"searched:{path}" for path in sorted(nets.glob("within-*.json"))]
    large = [net for net in searched if net.endswith("-256.json")]
    small = [net for net in searched if net not in large]
    designs = [f"designed:{name}" for name in DESIGNS]
    known = [f"known:{name}" for name in ("sinet", "lraspp", "portraitnet", "deeplabv3", "unet")]
    for data in (PEOPLE, FACES):
        yield from (Job("quality", net, data) for net in [*small, *designs, *known])
    for net in [*large, "designed:plain", "designed:slim", "known:sinet"]:
        yield from (Job("quality", net, data, LARGE) for data in (PEOPLE, FACES))
    yield from (Job("quality", net, PARTS) for net in [*small, "designed:plain", "designed:expanded"])
    yield from (Job("quality", net, PARTS, LARGE) for net in large)
    yield from (Job("quality", TEACHER, data, scene_steps=0) for data in (PEOPLE, FACES, PARTS))
    for seed in SEEDS:
        yield from _ablations(small[-1], seed)
    for seed in SEEDS[1:]:
        for data in (PEOPLE, FACES):
            yield from (Job("quality", net, data, seed=seed) for net in [*small, *designs])
    ranked = [f"searched:{path}" for path in sorted(nets.glob("ranked-*.json"))]
    for data in (PEOPLE, PARTS, FACES):
        yield from (Job("ranking", net, data) for net in ranked)


def _ablations(net: str, seed: int) -> Iterator[Job]:
    students: Sequence[str] = (net, "designed:plain")
    for data in (PEOPLE, FACES):
        for student in students:
            for name, (teacher, changes) in TAUGHT.items():
                if (teacher, data) != ("more", FACES):
                    yield Job("distillation", student, data, seed=seed, variant=name, changes=changes, teacher=teacher)
        for name, changes in RECIPE.items():
            yield Job("recipe", "designed:plain", data, seed=seed, variant=name, changes=changes)


THREE_TIMES = {"scene_steps": 4500, "updates": 6750}
LONGER: dict[str, dict[str, Any]] = {
    "as train": {},
    "scenes x 3": {"scene_steps": 4500},
    "pairs x 3": {"updates": 6750},
    "both x 3": THREE_TIMES,
    "both x 3, 20,000 scenes": {**THREE_TIMES, "scenes": 20_000},
    "both x 3, 12,000 scenes of 256 x 256": {**THREE_TIMES, "scenes": 12_000, "scene_size": LARGE},
}
"""What differs from ``train``."""


def longer(nets: Path) -> Iterator[Job]:
    """Trainings that take longer than those of ``train``; the longest first.

    About 12 minutes on an H200: sixteen processes made 17 updates a second each.
    """
    found = [*_longer(nets)]
    yield from sorted(found, key=lambda job: -job.scene_steps - job.updates)


def _longer(nets: Path) -> Iterator[Job]:
    best, quick, plain = f"searched:{nets}/within-3.4ms.json", f"searched:{nets}/within-2ms-256.json", "designed:plain"
    usual, scenes, pairs, both, more, large = LONGER
    for seed in SEEDS[:2]:
        for name in (both, more, pairs, scenes, usual):
            yield Job("quality", best, PEOPLE, seed=seed, variant=name, **LONGER[name])
        for name in (large, usual):
            yield Job("quality", best, PEOPLE, LARGE, seed=seed, variant=name, **LONGER[name])
    for net, data, size, names in (
        (best, FACES, SMALL, (both, usual)),
        (best, FACES, LARGE, (large, usual)),
        (best, PEOPLE, LARGE, (both,)),
        (quick, PEOPLE, LARGE, (large, usual)),
        (plain, PEOPLE, SMALL, (both, usual)),
    ):
        for name in names:
            yield Job("quality", net, data, size, variant=name, **LONGER[name])


def longer_designed(_: Path) -> Iterator[Job]:
    """As ``longer`` for one net that was designed by hand, with two seeds: eight minutes of eight processes."""
    for name in ("both x 3", "pairs x 3", "as train"):
        for data in (PEOPLE, FACES):
            yield from (
                Job("quality", "designed:expanded", data, seed=seed, variant=name, **LONGER[name]) for seed in SEEDS[:2]
            )


PLANS: dict[str, Callable[[Path], Iterator[Job]]] = {
    "all": jobs,
    "longer": longer,
    "longer-designed": longer_designed,
}
