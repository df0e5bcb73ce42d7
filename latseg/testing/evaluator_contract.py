"""The conformance suite of evaluators. Subclass it, name the class ``Test...``, and say how to make the evaluator."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from random import Random

import pytest
import torch

from search.architecture import Architecture
from search.constraints.budgets import Budgets, ParameterBudget
from search.constraints.feasible_sampler import FeasibleSampler, feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.options import TrainingOptions


class EvaluatorContract(ABC):
    """The contract of ``search.evaluators.evaluator.Evaluator``."""

    maximum_parameters: int
    """A budget that leaves many architectures of the space."""

    @abstractmethod
    def make(self, folder: Path) -> Evaluator:
        """A fresh evaluator of the smallest amounts that keeps its files in ``folder``."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("evaluator")

    @pytest.fixture(scope="class")
    @classmethod
    def evaluator(cls, folder: Path) -> Evaluator:
        evaluator = cls().make(folder)
        evaluator.prepare(cls().sampler(evaluator))
        return evaluator

    @pytest.fixture(scope="class")
    @classmethod
    def architectures(cls, evaluator: Evaluator) -> list[Architecture]:
        return cls().sampler(evaluator)(3, Random(1))

    def sampler(self, evaluator: Evaluator) -> FeasibleSampler:
        """Samples nets within the budget."""
        return feasible_sampler(evaluator.space, Budgets(ParameterBudget(self.maximum_parameters)))

    def test_has_a_name(self, evaluator: Evaluator) -> None:
        assert evaluator.name

    def test_estimates_are_shares_in_the_order_given(
        self, evaluator: Evaluator, architectures: list[Architecture]
    ) -> None:
        qualities = evaluator.quality(architectures)
        assert len(qualities) == len(architectures)
        assert all(0.0 <= quality <= 1.0 for quality in qualities)
        assert evaluator.quality(architectures[::-1]) == qualities[::-1]
        assert evaluator.quality([]) == []
        assert list(evaluator.qualities(architectures)) == qualities
        assert list(evaluator.qualities([])) == []

    def test_a_fresh_evaluator_in_the_same_folder_gives_the_same_estimates(
        self, evaluator: Evaluator, architectures: list[Architecture], folder: Path
    ) -> None:
        resumed = self.make(folder)
        steps: list[str] = []
        resumed.prepare(self.sampler(resumed), lambda progress: steps.append(progress.stage))
        assert steps == [], "what was finished is not repeated"
        assert resumed.quality(architectures) == pytest.approx(evaluator.quality(architectures), abs=1e-6)

    def test_copies_of_what_it_prepared_are_enough_for_another_run(
        self, evaluator: Evaluator, architectures: list[Architecture], folder: Path, tmp_path: Path
    ) -> None:
        if evaluator.preparation is None:
            pytest.skip("nothing that another run could use")
        assert set(evaluator.preparation.training) <= set(TrainingOptions.model_fields)
        for name in evaluator.preparation.files:
            if (folder / name).exists():
                shutil.copy(folder / name, tmp_path)
        other = self.make(tmp_path)
        steps: list[str] = []
        other.prepare(self.sampler(other), lambda progress: steps.append(progress.stage))
        assert steps == []
        assert other.quality(architectures) == pytest.approx(evaluator.quality(architectures), abs=1e-6)

    def test_an_estimate_does_not_depend_on_what_was_evaluated_before(
        self, evaluator: Evaluator, architectures: list[Architecture], tmp_path: Path
    ) -> None:
        after_others = evaluator.quality(architectures)[-1]
        alone = self.make(tmp_path)
        alone.prepare(self.sampler(alone))
        assert alone.quality(architectures[-1:]) == pytest.approx([after_others], abs=1e-6)

    def test_weights_are_those_of_the_architecture(
        self, evaluator: Evaluator, architectures: list[Architecture]
    ) -> None:
        evaluator.quality(architectures)
        for architecture in architectures:
            module = evaluator.weights(architecture)
            if module is not None:
                inputs = evaluator.task.example_inputs(architecture)
                parameters = sum(parameter.numel() for parameter in module.parameters())
                assert parameters == evaluator.space.parameters(architecture)
                with torch.no_grad():
                    assert torch.isfinite(module.eval()(*inputs.values())).all()
