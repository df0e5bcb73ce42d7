"""Training of shared weights and of gates, in turn. Importing this module loads torch.

Cai, Zhu, Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware" (ICLR 2019), section 3.2:
the weights of a sampled net learn from the training split while the gates are frozen, then the gates from the
validation split while the weights are frozen.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from foundation.errors import UserError
from foundation.interruption import uninterrupted
from foundation.progress import OnProgress
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import FeasibleSampler
from search.constraints.repair import repair
from search.progress import SearchProgress
from search.spaces.plan_space import PlanSpace
from search.strategies.gates.budget_costs import BudgetCosts
from search.strategies.gates.gate_options import GateOptions
from search.strategies.gates.gates import Gates, net_of, sampled
from segmentation.data.source import batch_of
from segmentation.evaluation import resized
from segmentation.losses import match_size, segmentation_loss
from segmentation.normalisation import normalise
from segmentation.supernet.training import Draw, SupernetTraining
from segmentation.training.checkpoint import WEIGHTS, TrainedParts, damage_told, load_checkpoint
from segmentation.training.loop import apply_gradients, saved_on_interrupt
from segmentation.training.order import drawn
from segmentation.training.processor import fast_layout

_GATES, _NORM = "gates.", 1.0
"""Prefix of the gates in a checkpoint; largest norm of their gradient."""
_BETAS = (0.0, 0.999)
"""Of Adam for the gates: without momentum, so that only choices of the sampled nets and their rivals move."""

OnUpdate = Callable[[int], None]
"""Called after each update of the gates, with its number (from 1)."""

_logger = logging.getLogger(__name__)


@dataclass
class GateTraining:
    """Trains in place. All of a step follows from seed and step, so that a training can be continued.

    The paper's first algorithm (section 3.2.1) mixes the outputs of two sampled choices, which must be of one shape.
    Choices here are widths, depths, strides and input sizes, so the gates learn by its other one, REINFORCE (section
    3.3.2): whole nets are sampled and evaluated on one batch. Four things differ. The reward is the negative loss: on a
    single batch it tells more than the accuracy. The baseline of a net is the mean reward of the others. Latency is no
    part of the reward, since its expectation is known as a function of the gates, and so is its gradient (section
    3.3.1, ``BudgetCosts``); only what is expected above a budget counts, for below it a net need not be faster. And a
    sampled net that violates a budget is repaired before it is trained or evaluated, as a proposal is.
    """

    name: str
    """Of the strategy."""
    space: PlanSpace
    budgets: Budgets
    gates: Gates
    costs: BudgetCosts
    weights: SupernetTraining
    """The shared weights with their optimiser and the data; its steps are those of the whole training."""
    options: GateOptions
    sampler: FeasibleSampler
    """Gives the net of a step where the sampled one cannot be repaired."""
    on_update: OnUpdate
    _best: float | None = field(default=None, init=False)
    """Smallest loss of a net on a validation batch so far."""
    _cost: float = field(default=0.0, init=False)
    """Expected costs when it was saved last."""

    def __post_init__(self) -> None:
        group = {"params": list(self.gates.parameters()), "betas": _BETAS, "weight_decay": 0.0}
        self.weights.optimiser.add_param_group(group)
        networks = {WEIGHTS: self.weights.supernet, _GATES: self.gates}
        self._parts = TrainedParts(networks, self.weights.optimiser, self.weights.source)
        if not len(self.weights.source.validation):
            raise UserError("validation data", seen="no pairs", expected="at least one", remedy="give more pairs")

    def run(self, checkpoint: Path, on_progress: OnProgress) -> float:
        """Trains until all steps are done, from ``checkpoint`` where that exists; saves at intervals and on Ctrl-C.

        Returns:
            The expected costs at the end, under the budgets with which the training ended.

        Raises:
            UserError: the checkpoint is of another training or of other data.
            KeyboardInterrupt: on Ctrl-C, after the running step was finished and saved.
        """
        settings = self.weights.settings
        done = self._restored(checkpoint) if checkpoint.exists() else 0

        def save() -> None:
            self._cost = float(self.costs.expected(self.gates.free_probabilities()).sum())
            document = {"step": done, "identity": self._identity, "best": self._best, "cost": self._cost}
            self._parts.save(checkpoint, document)

        if done < settings.steps:
            on_progress(SearchProgress(self.name, done, settings.steps, self.costs.describe()))
        with saved_on_interrupt(save):
            while done < settings.steps:
                with uninterrupted():
                    loss = self._step(done)
                    done += 1
                if done == settings.steps or done % settings.checkpoint_every == 0:
                    save()
                rate, note = settings.rate(done - 1), self._note()
                on_progress(SearchProgress(self.name, done, settings.steps, note, loss=loss, learning_rate=rate))
        return self._cost

    @property
    def _identity(self) -> str:
        """What must be the same in a continued training."""
        options = self.options.model_dump(exclude={"generation_size"})
        return json.dumps({"strategy": self.name, "options": options, "weights": self.weights.identity})

    def _restored(self, path: Path) -> int:
        """Loads what ``run`` saved; returns the steps done."""
        tensors, document = load_checkpoint(path)
        if document.get("identity") != self._identity:
            raise UserError(
                f"checkpoint {path.name}", seen=str(document.get("identity")), expected=self._identity,
                remedy="continue with the same options, or delete the file to train from the start",
            )  # fmt: skip
        with damage_told(path):
            self._parts.restore(path, tensors, document)
            self._best, self._cost = document["best"], float(document["cost"])
            _logger.info("resumed %s after %d steps", path, document["step"])
            return int(document["step"])

    def _note(self) -> str:
        with torch.no_grad():
            ratios = self.costs.expected(self.gates.probabilities()).exp().tolist()
        shares = [f"{name} {ratio:.0%}" for name, ratio in zip(self.costs.names, ratios, strict=True)]
        best = "none yet" if self._best is None else f"{self._best:.3f}"
        return f"best loss {best}, expected of the budgets: {', '.join(shares) or 'none'}"

    def _step(self, step: int) -> float:
        """One update of the weights and, after the warm-up, one of the gates; the loss of the weights."""
        loss = self.weights.step(step, self._trained_nets)
        update = step - self.options.warmup
        if update >= 0:
            self._update_gates(update)
            self.on_update(update + 1)
        return loss

    def _trained_nets(self, rng: Random) -> list[Draw]:
        nets = [net for _, net in self._sampled(1, rng)]
        return nets or [self._draw(architecture) for architecture in self.sampler(1, rng)]

    def _update_gates(self, update: int) -> None:
        """One step down the expected loss plus the price of what is expected above the budgets; counted from 0."""
        paths = self._sampled(self.options.paths, Random(f"{self.weights.settings.seed}/gates/{update}"))
        objective = self.options.cost_weight * self.costs.expected(self.gates.probabilities()).relu().sum()
        if len(paths) > 1:
            losses = self._losses([net for _, net in paths], update)
            self._best = min(float(losses.min()), math.inf if self._best is None else self._best)
            others = (losses.sum() - losses) / (len(losses) - 1)
            choices = torch.tensor([choices for choices, _ in paths])
            objective = objective + ((losses - others) * self.gates.log_probability(choices)).mean()
        self.weights.optimiser.zero_grad(set_to_none=True)
        objective.backward()  # type: ignore[no-untyped-call]
        apply_gradients(self.weights.optimiser, learning_rate=self.options.gate_rate, largest_norm=_NORM)

    def _losses(self, nets: list[Draw], update: int) -> Tensor:
        """Of each net on the validation batch of this update, at the size of the masks.

        A single picture is taken twice, for batch normalisation.
        """
        validation, settings = self.weights.source.validation, self.weights.settings
        size = min(settings.batch_size, len(validation))
        numbers = drawn(len(validation), update, size, settings.seed)
        images, masks = batch_of(validation, numbers if len(numbers) > 1 else numbers * 2)
        images, masks = images.to(self.weights.device), masks.to(self.weights.device)
        images = normalise(images).contiguous(memory_format=fast_layout(self.weights.device))
        with torch.no_grad():
            logits = [self.weights.supernet(resized(images, at), plan) for plan, at in nets]
        return torch.tensor([float(segmentation_loss(match_size(each, masks.shape[-2:]), masks)) for each in logits])

    def _sampled(self, count: int, rng: Random) -> list[tuple[list[int], Draw]]:
        """Choices sampled from the gates, each with the net within the budgets that it leads to, if there is one."""
        with torch.no_grad():
            rows = self.gates.probabilities().tolist()
        choices = [sampled(rows, rng) for _ in range(count)]
        checks = self.budgets.check_many(self.space, [net_of(self.space, each) for each in choices])
        kept = repair(self.space, self.budgets, checks, rng)
        pairs = zip(choices, kept, strict=True)
        return [(each, self._draw(check.architecture)) for each, check in pairs if check is not None]

    def _draw(self, architecture: Architecture) -> Draw:
        return self.space.plan(architecture), self.space.input_size(architecture)
