"""Optuna's samplers as strategies.

Akiba, Sano, Yanase, Ohta, Koyama, "Optuna: A next-generation hyperparameter optimization framework", KDD 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator
from typing_extensions import override

from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.objectives import objectives
from search.optuna_package import distributions, import_optuna, quiet_optuna
from search.spaces.space import SearchSpace
from search.strategies.strategy import Strategy
from search.trial import Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

_ASKS = 3
"""How often a sampler is asked for each architecture that is wanted, since it may propose known ones."""


def _tpe(seed: int, _: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


def _gp(seed: int, _: int) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed)


def _nsga2(seed: int, population: int) -> BaseSampler:
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, population_size=population)


def _nsga3(seed: int, population: int) -> BaseSampler:
    from optuna.samplers import NSGAIIISampler

    return NSGAIIISampler(seed=seed, population_size=population)


def _cmaes(seed: int, population: int) -> BaseSampler:
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=seed, popsize=population)


def _random(seed: int, _: int) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


@dataclass(frozen=True, slots=True)
class _Sampler:
    """A sampler of Optuna and what it needs."""

    make: Callable[[int, int], BaseSampler]
    """From a seed and the size of a population."""
    many_objectives: bool = False
    notes: bool = False
    """Whether it keeps its state in notes (system attributes) at the trials that it proposed."""
    categories: bool = False
    """Whether slots without an order are categories; else all of them are integers."""


SAMPLERS: Mapping[str, _Sampler] = {
    "tpe": _Sampler(_tpe, categories=True),
    "gp": _Sampler(_gp, categories=True),
    "nsga2": _Sampler(_nsga2, many_objectives=True, notes=True),
    "nsga3": _Sampler(_nsga3, many_objectives=True, notes=True),
    "cmaes": _Sampler(_cmaes, notes=True),
    "random": _Sampler(_random),
}


class OptunaSampler(Strategy):
    """A sampler of Optuna over the space's slots.

    It proposes a choice for every slot, of which ``SearchSpace.nearest`` makes an architecture. It receives what was
    evaluated, after a repair, and not what it proposed. ``nsga2`` and ``nsga3`` minimise ``search.objectives``, and
    know by how much a trial exceeds the budgets, as it may after a recalibration. The others maximise quality; where
    a trial exceeds the budgets, the negative excess stands in its place (Deb, "An efficient constraint handling method
    for genetic algorithms", Computer Methods in Applied Mechanics and Engineering 186, 2000).

    Slots are integers. For ``tpe`` and ``gp`` those without an order are categories; ``cmaes`` learns from integers
    alone, and for the others it makes no difference.

    Every call of ``ask`` makes a new study and a new sampler, which receives all trials. Samplers that keep their state
    at their proposals (``nsga2`` and ``nsga3`` the generation, ``cmaes`` its optimiser) are asked once before each
    generation; its trials then carry that state.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
        **options: as in ``Options``.

    Raises:
        UserError: Optuna is not installed.
    """

    name = "optuna"

    class Options(PluginOptions):
        """Options of the strategy."""

        bare = "sampler"

        sampler: Annotated[str, Field(validate_default=True)] = next(iter(SAMPLERS))
        generation_size: Annotated[int, Field(ge=2)] = 24
        """Trials that are proposed together; of ``nsga2``, ``nsga3`` and ``cmaes`` the population, too."""

        @field_validator("sampler")
        @classmethod
        def _known(cls, name: str) -> str:
            if name not in SAMPLERS:
                raise ValueError(f"{name!r} is none of {', '.join(SAMPLERS)}")
            import_optuna()
            return name

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, **options: Any) -> None:
        super().__init__(space, budgets, seed=seed)
        self.options = self.Options.model_validate(options)
        self.generation_size = self.options.generation_size
        self._chosen = SAMPLERS[self.options.sampler]
        self._distributions = distributions(space.slots, categories=self._chosen.categories)

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        known = set(self._trials) | self._proposed
        found: dict[Architecture, None] = {}
        with quiet_optuna() as optuna:
            sampler = self._chosen.make(rng.randrange(2**31), self.generation_size)
            directions = ["minimize"] * 3 if self._chosen.many_objectives else ["maximize"]
            study = optuna.create_study(sampler=sampler, directions=directions)
            self._replay(study)
            for _ in range(_ASKS * count):
                if len(found) == count:
                    break
                architecture = self.space.nearest(study.ask(self._distributions).params)
                if architecture not in known:
                    found[architecture] = None
        return list(found)

    def _replay(self, study: Study) -> None:
        """Passes the trials to the study, generation by generation."""
        for _, generation in groupby(self._trials.values(), key=lambda trial: trial.generation):
            notes: Mapping[str, Any] = {}
            if self._chosen.notes:
                number = study.ask(self._distributions).number
                notes = study.get_trials(deepcopy=False)[number].system_attrs
            study.add_trials([self._frozen(trial, notes) for trial in generation])

    def _frozen(self, trial: Trial, notes: Mapping[str, Any]) -> FrozenTrial:
        from optuna.trial import create_trial

        excess = self.budgets.excess(trial.parameters, trial.upper_ms)
        many = self._chosen.many_objectives
        return create_trial(
            params=dict(trial.architecture.choices),
            distributions=self._distributions,
            values=objectives(trial, self.budgets) if many else [trial.quality if excess == 0 else -excess],
            system_attrs=dict(notes),
            constraints={"budgets": excess} if many else None,
        )
