"""Gates and shared weights in training: data, gradients, checkpoints."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor

from foundation.errors import UserError
from foundation.progress import Progress
from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.constraints.feasible_sampler import feasible_sampler
from search.evaluators.evaluator import Evaluator
from search.evaluators.supernet import SupernetEvaluator
from search.loop import run_search
from search.progress import SearchProgress
from search.settings import SearchSettings
from search.strategies.gates import gate_strategy, gate_training
from search.strategies.gates.gate_strategy import GateStrategy
from search.strategies.gates.gate_training import GateTraining
from search.strategies.gates.gates import Gates
from search.strategies.registry import make_strategy
from search.trials import TrialStore
from segmentation.supernet.supernet import Supernet
from segmentation.training.checkpoint import TrainedParts
from tests.search.strategies.gates_task import TRAINING, TaskEvaluator, source
from tests.search.strategies.test_gates import budgets
from tests.search.toy import FormulaEvaluator, ToySpace
from tests.search.vectors import VectorSpace

TEXTS = ("proxyless:warmup=1,paths=2,updates=4", "sgas:warmup=1,paths=2,delay=0,every=1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("search.strategies.gates.budget_costs._NETS", 100)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def prepared(evaluator: Evaluator, text: str = TEXTS[0], limits: Budgets | None = None, **how: object) -> GateStrategy:
    limits = limits or budgets()
    strategy = make_strategy(text, ToySpace(), limits, seed=0)
    assert isinstance(strategy, GateStrategy)
    strategy.prepare(evaluator, feasible_sampler(ToySpace(), limits), **how)  # type: ignore[arg-type]
    return strategy


def gates_of(strategy: GateStrategy) -> Tensor:
    assert strategy._gates is not None
    return strategy._gates.free_probabilities()


def test_every_update_takes_another_validation_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[int]] = []
    original = gate_training.batch_of

    def recording(dataset: object, indices: list[int]) -> tuple[Tensor, Tensor]:
        assert dataset is source().validation
        batches.append(sorted(indices))
        return original(dataset, indices)  # type: ignore[arg-type]

    monkeypatch.setattr(gate_training, "batch_of", recording)
    prepared(TaskEvaluator(tmp_path), "proxyless:warmup=0,paths=2,updates=3")
    count = len(source().validation)
    assert count >= 4
    assert len(batches) == 3
    assert batches[0] != batches[1]
    assert len({index for batch in batches[: count // 2] for index in batch}) == 2 * (count // 2)


def test_gates_learn_which_choice_loses_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is that of a formula: stages without blocks lose."""

    def losses(training: GateTraining, nets: list[object], update: int) -> Tensor:
        return torch.tensor([-float(len(plan.layers)) for plan, _ in nets])  # type: ignore[attr-defined]

    monkeypatch.setattr(GateTraining, "_losses", losses)
    monkeypatch.setattr("segmentation.supernet.training.SupernetTraining.step", lambda *_: 0.0)
    strategy = prepared(TaskEvaluator(tmp_path), "proxyless:warmup=0,updates=60,cost_weight=0", Budgets())
    depths = [row for row, slot in zip(gates_of(strategy), ToySpace().slots, strict=True) if slot.optional]
    for depth in depths:
        assert depth[3] > 0.4
        assert depth[0] < 0.15
    found = strategy.ask(20)
    assert [found[0][f"depth{stage}"] for stage in range(3)] == [3, 3, 3], "the most probable net comes first"
    assert sum(net[f"depth{stage}"] for net in found for stage in range(3)) > 20 * 3 * 2


def test_a_higher_weight_lowers_the_expected_latency_and_nothing_that_is_within_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GateTraining, "_losses", lambda _, nets, update: torch.zeros(len(nets)))
    monkeypatch.setattr("segmentation.supernet.training.SupernetTraining.step", lambda *_: 0.0)
    expected = {}
    for weight, maximum_ms in ((0.0, 1.0), (0.2, 1.0), (0.2, 9.0)):
        folder = tmp_path / f"{weight}-{maximum_ms}"
        folder.mkdir()
        text = f"proxyless:warmup=0,updates=20,cost_weight={weight}"
        strategy = prepared(TaskEvaluator(folder), text, budgets(maximum_ms))
        expected[weight, maximum_ms] = strategy._fitted_costs().expected(gates_of(strategy))
        if (weight, maximum_ms) != (0.2, 1.0):
            untrained = Gates(ToySpace().slots).free_probabilities()
            torch.testing.assert_close(gates_of(strategy), untrained)
    assert expected[0.0, 1.0][1] > 0.5
    assert expected[0.2, 1.0][1] < expected[0.0, 1.0][1] - 0.4


def test_only_nets_within_the_budgets_are_trained_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, seen = Supernet.forward, []

    def recording(self: Supernet, images: Tensor, plan: object) -> Tensor:
        seen.append((plan, torch.is_grad_enabled()))
        return forward(self, images, plan)  # type: ignore[arg-type]

    monkeypatch.setattr(Supernet, "forward", recording)
    prepared(TaskEvaluator(tmp_path), "proxyless:warmup=2,paths=3,updates=2")
    assert [training for _, training in seen] == [True, True, True, *3 * [False], True, *3 * [False]]
    assert all(plan.parameters() <= 12_000 for plan, _ in seen)


@pytest.mark.parametrize("text", TEXTS)
def test_continues_after_ctrl_c_as_if_uninterrupted(text: str, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 3:
            signal.raise_signal(signal.SIGINT)

    interrupted, whole = tmp_path / "interrupted", tmp_path / "whole"
    interrupted.mkdir()
    whole.mkdir()
    with pytest.raises(KeyboardInterrupt):
        prepared(TaskEvaluator(interrupted), text, on_progress=stop)
    steps: list[int] = []
    resumed = prepared(TaskEvaluator(interrupted), text, on_progress=lambda progress: steps.append(progress.done))
    assert steps[:2] == [3, 4]
    uninterrupted = prepared(TaskEvaluator(whole), text)
    assert torch.equal(gates_of(resumed), gates_of(uninterrupted))
    assert resumed.ask(16) == uninterrupted.ask(16)
    assert resumed._trained_cost == uninterrupted._trained_cost


def test_it_is_saved_at_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    save, settings = TrainedParts.save, GateStrategy._settings

    def recording(self: TrainedParts, path: Path, document: dict[str, int]) -> None:
        saved.append(document["step"])
        save(self, path, document)

    monkeypatch.setattr(TrainedParts, "save", recording)
    monkeypatch.setattr(GateStrategy, "_settings", lambda *given: replace(settings(*given), checkpoint_every=2))
    prepared(TaskEvaluator(tmp_path))
    assert saved == [2, 4, 5]


def test_progress_says_the_best_so_far_and_what_the_gates_expect(tmp_path: Path) -> None:
    moments: list[Progress] = []
    prepared(TaskEvaluator(tmp_path), on_progress=moments.append)
    assert [(moment.stage, moment.done, moment.total) for moment in moments] == [
        ("proxyless", done, 5) for done in range(6)
    ]
    assert "parameters R2 0." in moments[0].note
    assert "best loss none yet" in moments[1].note
    assert "expected of the budgets: parameters" in moments[1].note
    best = [float(moment.note.split()[2].rstrip(",")) for moment in moments[2:]]
    assert best == sorted(best, reverse=True)
    assert all(isinstance(moment, SearchProgress) and moment.loss is not None for moment in moments[1:])


def test_other_options_do_not_continue_a_checkpoint(tmp_path: Path) -> None:
    prepared(TaskEvaluator(tmp_path))
    for changed in ("cost_weight=0.3", "gate_rate=0.1", "weight_rate=0.1", "paths=3"):
        text = f"proxyless:warmup=1,updates=4,{changed}"
        with pytest.raises(UserError, match="proxyless_gates"):
            prepared(TaskEvaluator(tmp_path), text if "paths" in changed else f"{text},paths=2")
    assert prepared(TaskEvaluator(tmp_path), f"{TEXTS[0]},generation_size=3").generation_size == 3


def test_rates_reach_gates_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: dict[str, set[float]] = {"gates": set(), "weights": set()}
    for module, kind in (
        ("search.strategies.gates.gate_training", "gates"),
        ("segmentation.supernet.training", "weights"),
    ):
        monkeypatch.setattr(
            f"{module}.apply_gradients",
            lambda _, *, learning_rate, largest_norm, kind=kind: rates[kind].add(learning_rate),
        )
    prepared(TaskEvaluator(tmp_path), f"{TEXTS[0]},gate_rate=0.3,weight_rate=0.7")
    assert rates["gates"] == {0.3}
    assert max(rates["weights"]) == pytest.approx(0.7)


def test_weights_of_the_supernets_evaluator_are_used_and_left_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = TRAINING.model_copy(update={"supernet_steps": 1})
    task = TaskEvaluator(tmp_path, training=training).task
    evaluator = SupernetEvaluator(ToySpace(), task, folder=tmp_path, pool=2, calibration_images=2)
    evaluator.prepare(feasible_sampler(ToySpace(), budgets()))
    before = {name: value.clone() for name, value in evaluator.supernet.state_dict().items()}
    begun: list[dict[str, Tensor]] = []
    original = GateTraining.run

    def run(self: GateTraining, *given: object) -> float:
        begun.append({name: value.clone() for name, value in self.weights.supernet.state_dict().items()})
        return original(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(GateTraining, "run", run)
    prepared(evaluator)
    for name, value in before.items():
        assert torch.equal(begun[0][name], value)
        assert torch.equal(evaluator.supernet.state_dict()[name], value)


@pytest.mark.parametrize("pretrained", [True, False])
def test_other_weights_begin_as_the_training_options_say(
    pretrained: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []
    supernet = ToySpace.supernet

    def recording(self: ToySpace, *, pretrained: bool) -> Supernet:
        begun.append(pretrained)
        return supernet(self, pretrained=pretrained)

    monkeypatch.setattr(ToySpace, "supernet", recording)
    prepared(TaskEvaluator(tmp_path, training=TRAINING.model_copy(update={"pretrained": pretrained})))
    assert begun == [pretrained]


def test_tighter_budgets_move_the_proposals_to_cheaper_nets(tmp_path: Path) -> None:
    strategy = prepared(TaskEvaluator(tmp_path))
    first = strategy.ask(200)
    strategy.tell([])
    tight = budgets(1.0)
    strategy.constrain(tight)
    cheaper = strategy.ask(200)
    strategy.tell([])
    resumed = prepared(TaskEvaluator(tmp_path), limits=tight)
    assert resumed.ask(200) == cheaper, "a search that is resumed begins with the tight budgets"

    def mean_ms(nets: list[Architecture]) -> float:
        checks = tight.check_many(ToySpace(), nets, predict_all=True)
        return sum(check.upper_ms["toy"] for check in checks) / len(checks)

    assert mean_ms(cheaper) < 0.7 * mean_ms(first)
    strategy.constrain(budgets())
    assert strategy.ask(200) == first


def test_the_training_device_is_that_of_the_task(tmp_path: Path) -> None:
    evaluator = TaskEvaluator(tmp_path, training=TRAINING.model_copy(update={"device": "cuda:99"}))
    with pytest.raises(UserError, match="training device cuda:99"):
        prepared(evaluator)


def test_pictures_and_masks_go_to_the_training_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[object] = []
    to = Tensor.to

    def recording(self: Tensor, *args: object, **options: object) -> Tensor:
        if self.shape[-2:] == (32, 32):
            devices.extend(each for each in (*args, *options.values()) if isinstance(each, torch.device | str))
        return to(self, *args, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(gate_strategy, "processor", lambda _: torch.device("cpu:0"))
    monkeypatch.setattr(gate_strategy, "computed_on", lambda *_: nullcontext())
    monkeypatch.setattr(Tensor, "to", recording)
    prepared(TaskEvaluator(tmp_path))
    assert len(devices) >= 4, "of weights and of gates"
    assert {str(device) for device in devices} == {"cpu:0"}


def test_a_single_validation_picture_is_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[list[int]] = []
    original = gate_training.batch_of

    def recording(dataset: object, indices: list[int]) -> tuple[Tensor, Tensor]:
        taken.append(indices)
        return original(dataset, indices)  # type: ignore[arg-type]

    monkeypatch.setattr(gate_training, "batch_of", recording)
    monkeypatch.setattr(gate_training, "drawn", lambda *_: [1])
    prepared(TaskEvaluator(tmp_path))
    assert taken
    assert all(each == [1, 1] for each in taken)


def test_a_task_of_pictures_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"strategy proxyless: .*evaluator formula without a task of segmentation"):
        prepared(FormulaEvaluator())


def test_a_space_of_plans_is_needed() -> None:
    for name in ("proxyless", "sgas"):
        with pytest.raises(UserError, match=f"strategy {name}: .*expected a space of plans"):
            make_strategy(name, VectorSpace(), Budgets())


def test_a_net_is_trained_also_where_no_sampled_one_can_be_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_training, "repair", lambda space, limits, checks, rng: [None] * len(checks))
    trained: list[Architecture] = []

    def sampler(count: int, rng: Random) -> list[Architecture]:
        trained.extend(ToySpace().smallest())
        return ToySpace().smallest()

    strategy = make_strategy(TEXTS[0], ToySpace(), budgets(), seed=0)
    strategy.prepare(TaskEvaluator(tmp_path), sampler)
    assert len(trained) == 5
    assert strategy.ask(4)


@pytest.mark.parametrize("text", TEXTS)
def test_a_search_that_is_killed_goes_on_as_if_uninterrupted(text: str, tmp_path: Path) -> None:
    def searched(folder: Path, stop: int | None = None) -> list[Architecture]:
        def kill(progress: Progress) -> None:
            if progress.stage == "search" and progress.done == stop:
                raise KeyboardInterrupt

        folder.mkdir(exist_ok=True)
        strategy = make_strategy(f"{text},generation_size=4", ToySpace(), budgets(), seed=0)
        settings = SearchSettings(trials=12, feasibility_samples=20)
        with TrialStore(folder / "trials.sqlite") as store:
            found = run_search(
                ToySpace(), budgets(), TaskEvaluator(folder), strategy, store, settings, on_progress=kill
            )
        return [trial.architecture for trial in found.trials]

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "killed", stop=6)
    assert searched(tmp_path / "killed") == searched(tmp_path / "whole")
