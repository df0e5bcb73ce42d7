"""A strategy that proposes what trained gates say. Importing this module loads torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from random import Random

import torch
from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.evaluators.supernet import SupernetEvaluator
from search.spaces.plan_space import PlanSpace
from search.spaces.space import SearchSpace
from search.strategies.gates.budget_costs import BudgetCosts, fit_costs
from search.strategies.gates.gate_options import GateOptions
from search.strategies.gates.gate_training import GateTraining, OnUpdate
from search.strategies.gates.gates import Gates, Rows, net_of
from search.strategies.strategy import Strategy
from search.tasks.segmentation import SegmentationTask
from segmentation.supernet.supernet import Supernet
from segmentation.supernet.training import SupernetSettings, SupernetTraining
from segmentation.training.processor import computed_on, processor

_TRIES = 20
"""For each wanted proposal."""


class GateStrategy(Strategy):
    """Trains gates and shared weights before the first proposal, in ``NAME_gates_SEED.safetensors`` of the run.

    Trials do not move the gates: they are the method's answer. What they say is proposed without repetition, and trials
    choose among it. Where the budgets are tighter than those of the training, the gates give way by as little as
    brings the expected costs back to what they were (``BudgetCosts.within``).

    Args:
        space: to search in.
        budgets: that the result must keep.
        options: of the training.
        seed: of everything random.

    Raises:
        UserError: the space has no plans, so that its nets cannot share weights.
    """

    def __init__(self, space: SearchSpace, budgets: Budgets, options: GateOptions, *, seed: int = 0) -> None:
        super().__init__(space, budgets, seed=seed)
        if not isinstance(space, PlanSpace):
            raise UserError(
                f"strategy {self.name}", seen=f"the space {space.name}",
                expected="a space of plans, whose nets can share weights", remedy="choose another strategy",
            )  # fmt: skip
        self.generation_size = options.generation_size
        self._space, self._gate_options = space, options
        self._gates: Gates | None = None
        self._trained_cost = 0.0
        self._costs: BudgetCosts | None = None

    @override
    def prepare(
        self, evaluator: Evaluator, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress
    ) -> None:
        task = self._task(evaluator)
        device = processor(task.options.training.device)
        supernet, teacher = self._supernet(evaluator, task), task.teacher(on_progress)
        gates, on_update = self._new_gates()
        with computed_on(device, supernet, teacher):
            teaching = task.teaching(on_progress)
            training = GateTraining(
                name=self.name,
                space=self._space,
                budgets=self.budgets,
                gates=gates,
                costs=self._fitted_costs(),
                weights=SupernetTraining(supernet, task.source, self._settings(task), teacher, teaching, device),
                options=self._gate_options,
                sampler=sampler,
                on_update=on_update,
            )
            self._trained_cost = training.run(
                evaluator.folder / f"{self.name}_gates_{self.seed}.safetensors", on_progress
            )
        self._gates = gates

    def _task(self, evaluator: Evaluator) -> SegmentationTask:
        task = getattr(evaluator, "task", None)
        if not isinstance(task, SegmentationTask):
            raise UserError(
                f"strategy {self.name}", seen=f"the evaluator {evaluator.name} without a task of segmentation",
                expected="pictures and masks, from which gates learn", remedy="choose another evaluator",
            )  # fmt: skip
        return task

    def _supernet(self, evaluator: Evaluator, task: SegmentationTask) -> Supernet:
        """A copy of the evaluator's weights, which must stay as they are, or new ones."""
        if isinstance(evaluator, SupernetEvaluator):
            return deepcopy(evaluator.supernet)
        torch.manual_seed(self.seed)
        return self._space.supernet(pretrained=task.options.training.pretrained)

    def _settings(self, task: SegmentationTask) -> SupernetSettings:
        return SupernetSettings(
            steps=self._gate_options.warmup + self._updates,
            batch_size=task.options.training.batch_size,
            learning_rate=self._gate_options.weight_rate,
            teacher_size=task.teacher_size,
            seed=self.seed,
            device=task.options.training.device,
        )

    @override
    def constrain(self, budgets: Budgets) -> None:
        if budgets is not self.budgets:
            self._costs = None
        super().constrain(budgets)

    def _fitted_costs(self) -> BudgetCosts:
        if self._costs is None:
            self._costs = fit_costs(self.space, self.budgets, seed=self.seed)
        return self._costs

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        assert self._gates is not None, "prepare comes first"
        rows = self._fitted_costs().within(self._gates.free_probabilities(), self._trained_cost).tolist()
        found: dict[Architecture, None] = {}
        for choices in islice(self._candidates(self._gates, rows, rng), _TRIES * count):
            architecture = net_of(self.space, choices)
            if architecture not in self._trials and architecture not in self._proposed:
                found[architecture] = None
            if len(found) == count:
                break
        return list(found)

    @property
    @abstractmethod
    def _updates(self) -> int:
        """Updates of the gates."""

    @abstractmethod
    def _new_gates(self) -> tuple[Gates, OnUpdate]:
        """Untrained gates, and what happens to them after each update."""

    @abstractmethod
    def _candidates(self, gates: Gates, rows: Rows, rng: Random) -> Iterator[list[int]]:
        """Choices of every slot in order of preference, endlessly where there are any.

        Args:
            gates: trained.
            rows: their free probabilities, under the present budgets.
            rng: of everything random.
        """
