"""Whole runs on the real ``cpu`` device with the smallest amounts: search, training, export, for two kinds of task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import onnx
import pytest
import torch

from devices.device import Candidate
from devices.measurement import NoiseFloor
from devices.model_file import sha256_of
from devices.registry import get_device
from export.bundle.verify import verify_bundle
from foundation.errors import UserError
from foundation.progress import OnProgress, Progress
from latency.store import MeasurementStore
from latseg.testing.device_contract import FAST
from latseg.testing.nets import saved, small_net
from search import launch as launching
from search.architecture import Architecture
from search.cluster.fleet_progress import FleetProgress
from search.cluster.trainer import ClusterTrainer
from search.cluster.workers import Finished, Workers
from search.constraints.budgets import Budgets
from search.constraints.near_budget_record import NearBudget, read_near_budget
from search.constraints.portability import Portability
from search.launch import _check_estimates, launch
from search.loop import SearchResult
from search.options import BudgetOptions, DataOptions, SearchOptions, TrainingOptions
from search.run_config import SHIPPED_SUPERNET, TRAINED_NETS, RunConfig
from search.run_context import RunContext
from search.run_folder import RunFolder
from search.spaces.portrait.space import PortraitSpace
from search.spaces.registry import SPACES
from search.trial import CERTIFIED
from search.trials import TrialStore
from search.winners.export import export_winner
from search.winners.finalists import Finalists
from search.winners.trained_record import TrainedRecord, read_trained_record
from search.winners.training import find_trial, train_net
from tests.export.runtime_device import measurement
from tests.search.cluster.toys import InProcessWorkers
from tests.search.test_trials import make_trials
from tests.search.toy import FormulaPredictor

SMALLEST = TrainingOptions(
    teacher_epochs=0, supernet_steps=1, winner_epochs=1, scene_steps=0, batch_size=4, evaluation_images=2, threads=1
)
SEARCH = SearchOptions(evaluator="regression:nets=4,examples=1", trials=3, winners=1, calibration_nets=0)
BUDGETS = BudgetOptions(latency_ms={"cpu": 1000.0}, parameters=60_000)
DATA = DataOptions(source="synthetic:12", size=(128, 128))
FORMULA = FormulaPredictor()


@pytest.fixture(autouse=True)
def vector_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package's space."""
    targets = {**SPACES.builtin, "vectors": "tests.search.vectors:VectorSpace"}
    monkeypatch.setitem(SPACES.__dict__, "targets", targets)


@pytest.fixture(scope="module")
def reference_ms() -> float:
    """A certificate tells a nominal time of another machine from that of this one."""
    return get_device("cpu").nominal_reference_ms()


@pytest.fixture
def store(tmp_path: Path, reference_ms: float) -> Iterator[MeasurementStore]:
    """A store in which the slow parts of a first measurement are done."""
    info = get_device("cpu").info()
    with MeasurementStore(tmp_path / "measurements.sqlite") as opened:
        opened.remember_reference(info, reference_ms)
        opened.remember_noise_floor(info, NoiseFloor(1.0, 1.0, 10))
        yield opened


def config(
    data: DataOptions = DATA,
    search: SearchOptions = SEARCH,
    training: TrainingOptions = SMALLEST,
    budgets: BudgetOptions = BUDGETS,
) -> RunConfig:
    return RunConfig.create(budgets, data, training, search)


def budgets_of(context: RunContext) -> Budgets:
    return context.budgets(lambda _: FORMULA)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["portrait:sizes=128x128,no_resize=true", "vectors:layers=2"])
def test_a_run_from_search_to_bundle(store: MeasurementStore, tmp_path: Path, space: str) -> None:
    data = DATA if space.startswith("portrait") else DataOptions(source="vectors:64")
    stages: list[str] = []

    def note(progress: Progress) -> None:
        stages.append(progress.stage)

    created = config(data, SEARCH.model_copy(update={"space": space}))
    context = RunContext.open(tmp_path / "run", created, store, note)
    result = launch(context, budgets_of(context))
    winner = result.winners[0]
    assert winner.status == CERTIFIED, winner.results
    assert 0 < winner.measured_ms["cpu"] < 1000
    assert {"feasibility", "search", "winners"} <= set(stages)
    measured = len(store.measurements(get_device("cpu").info().fingerprint))
    again = launch(RunContext.open(tmp_path / "run", created, store), budgets_of(context))
    assert again.winners == result.winners
    assert len(store.measurements(get_device("cpu").info().fingerprint)) == measured

    with pytest.raises(UserError, match="no full training"):
        export_winner(context, winner.architecture, formats=["onnx"], command="")
    trained = train_net(context, find_trial(context, winner.id))
    assert trained.epochs == 1
    record = read_trained_record(context.folder.trained_record(winner.id))
    assert record == TrainedRecord(metric=trained.quality.main, quality=trained.quality.value)
    exported = export_winner(context, winner.architecture, formats=["onnx"], command="latseg search")
    assert exported.refusals == ()
    (certificate,) = exported.certificates
    assert certificate.model_sha256 == sha256_of(context.folder.exported(winner.id))
    scores = {quality.metric: quality.value for quality in exported.quality}
    assert scores == pytest.approx(dict(trained.quality.metrics), abs=1e-3)
    assert verify_bundle(context.folder.bundle(winner.id), measure=False).ok
    kinds = {node.op_type for node in onnx.load(context.folder.bundle(winner.id) / "model.onnx").graph.node}
    assert "Resize" not in kinds


def test_a_run_whose_architectures_were_other_networks_is_refused(store: MeasurementStore, tmp_path: Path) -> None:
    created = config()
    assert created.space_version == PortraitSpace.version
    older = created.model_copy(update={"space_version": PortraitSpace.version - 1})
    with pytest.raises(UserError, match=r"got architectures of version 1 of the space portrait; expected version 2"):
        RunContext.open(tmp_path, older, store)


@pytest.mark.parametrize(
    ("evaluator", "key"),
    [("pretrained", TRAINED_NETS), ("training:epochs=1", SHIPPED_SUPERNET), ("supernet", SHIPPED_SUPERNET)],
)
def test_a_search_whose_candidates_were_compared_by_other_nets_is_refused(
    evaluator: str, key: str, store: MeasurementStore, tmp_path: Path
) -> None:
    created = config(search=SearchOptions(sizes=((128, 128),), evaluator=evaluator, trials=2, calibration_nets=0))
    assert len(created.versions[key]) == 64
    assert {TRAINED_NETS, SHIPPED_SUPERNET} & created.versions.keys() == {key}
    context = RunContext.open(tmp_path / "run", created.model_copy(update={"versions": {}}), store)
    with pytest.raises(UserError, match="nets or weights that shipped with another latseg"):
        _check_estimates(context)  # before the first trial the evaluator may have trained nets
    for trial, refused in zip(make_trials(2), (True, False), strict=True):
        with TrialStore(context.folder.trials) as trials:
            trials.add(trial)
        if refused:
            with pytest.raises(UserError, match="nets or weights that shipped with another latseg"):
                launch(context, budgets_of(context))
        else:
            _check_estimates(context)  # the search is finished: its result can be shown again


def test_a_budget_that_the_device_does_not_keep_rejects_every_net(store: MeasurementStore, tmp_path: Path) -> None:
    search = SearchOptions(space="vectors", trials=2, calibration_nets=0)
    tight = BudgetOptions(latency_ms={"cpu": 1e-6}, parameters=60_000)
    created = config(DataOptions(source="vectors:64"), search, budgets=tight)
    context = RunContext.open(tmp_path / "run", created, store)
    result = launch(context, context.budgets(lambda _: FormulaPredictor(ms_per_mflop=0.0, ms_per_operator=1e-9)))
    assert result.winners == []
    assert result.rejected["measured:cpu"] == len(result.trials) == 2


NEAR = NearBudget(
    device="cpu",
    wanted=1,
    examined=1,
    nets=1,
    failed=0,
    ratios=(1.0,),
    factor_before=1.0,
    factor_after=1.0,
    statement="",
)


def unread(_: Progress) -> None:
    """Other than the default, which ignores progress, too."""


def captured(
    store: MeasurementStore,
    folder: Path,
    created: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
    bound: Any = FORMULA,
    workers: Workers | None = None,
    told: OnProgress = unread,
) -> dict[str, Any]:
    """What ``launch`` passes on."""
    seen: dict[str, Any] = {}

    def run_search(space, budgets, evaluator, strategy, trials, settings, **hooks: object) -> object:  # type: ignore[no-untyped-def]
        seen.update(hooks, space=space, budgets=budgets, evaluator=evaluator, strategy=strategy, settings=settings)
        return SearchResult([], {}, 0, [], [], cast("Any", None), "")

    def calibrate(space, budgets, devices, opened, *, count, seed, on_progress):  # type: ignore[no-untyped-def]
        seen.update(count=count, calibration_seed=seed, calibration_progress=on_progress)
        return budgets, (NEAR,)

    monkeypatch.setattr(launching, "run_search", run_search)
    monkeypatch.setattr(launching, "calibrate_near_budget", calibrate)
    context = RunContext.open(folder, created, store, told)
    seen["result"] = launch(context, context.budgets(lambda _: bound), workers=workers)
    return {**seen, "context": context}


def test_every_field_of_the_configuration_reaches_the_search(
    store: MeasurementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = torch.get_num_threads()
    search = SearchOptions(
        space="portrait",
        sizes=((128, 128), (160, 128)),
        strategy="evolution:population=7",
        evaluator="training:epochs=3",
        trials=11,
        winners=2,
        calibration_nets=5,
        seed=9,
    )
    budgets = BudgetOptions(latency_ms={"cpu": 7.5}, parameters=123_456, threads=2)
    data = DataOptions(source="synthetic:12", size=(96, 64), count=8)
    training = SMALLEST.model_copy(update={"threads": 3})
    created = config(data, search, training, budgets)
    try:
        seen = captured(store, tmp_path / "run", created, monkeypatch)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert seen["space"].sizes == ((128, 128), (160, 128))
    assert seen["space"].classes == len(created.classes) == 2
    assert seen["strategy"].generation_size == 7
    assert seen["strategy"].seed == seen["settings"].seed == seen["calibration_seed"] == seen["evaluator"].seed == 9
    assert (seen["evaluator"].name, seen["evaluator"].epochs) == ("training", 3)
    assert (seen["settings"].trials, seen["settings"].winners, seen["count"]) == (11, 2, 5)
    assert seen["budgets"].parameters.maximum == 123_456
    (latency,) = seen["budgets"].latencies
    assert (latency.device, latency.maximum_ms, latency.predictor) == ("cpu", 7.5, FORMULA)
    task = seen["evaluator"].task
    assert task.source.train[0][0].shape == (3, 96, 64)
    assert task.options.training == training
    assert task.options.folder == tmp_path / "run"
    context, finalists = seen["context"], seen["measure"].__self__
    assert seen["on_progress"] is seen["calibration_progress"] is unread
    assert seen["certify"].__self__ is finalists
    assert (finalists.context, finalists.evaluator) == (context, seen["evaluator"])
    assert seen["recalibrate"].budgets is seen["budgets"] is seen["strategy"].budgets
    assert seen["result"].near_budget == read_near_budget(context.folder.near_budget) == (NEAR,)


def test_with_workers_candidates_are_given_away_and_no_gpu_is_needed_here(
    store: MeasurementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "processor", lambda _: pytest.fail("the training device is not used here"))
    training = SMALLEST.model_copy(update={"device": "cuda"})
    created = config(search=SEARCH.model_copy(update={"evaluator": "training"}), training=training)
    workers = InProcessWorkers()
    seen = captured(store, tmp_path / "run", created, monkeypatch, workers=workers)
    assert isinstance(seen["evaluator"].trainer, ClusterTrainer)
    for progress in (seen["on_progress"], seen["calibration_progress"]):
        assert isinstance(progress, FleetProgress)
    net = seen["space"].sample(1, Random(0))[0]
    next_quality = seen["evaluator"].qualities([net])
    monkeypatch.setattr(InProcessWorkers, "wait", lambda *_: [Finished(net.id, '{"quality": 0.25}')])
    assert next(next_quality) == 0.25
    job = json.loads(workers.waiting[net.id])
    assert json.loads(job["config"])["run"] == created.run
    assert (Architecture.from_json(job["architecture"]), job["epochs"]) == (net, 2)
    assert job["data"] == seen["context"].task.fingerprint == seen["context"].task.source.fingerprint


@pytest.mark.parametrize("workers", [None, InProcessWorkers()])
def test_the_progress_of_a_search_tells_of_the_devices_of_a_pool(
    store: MeasurementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Workers | None
) -> None:
    file, moments = tmp_path / "boards.txt", []
    file.write_text("simulated:seed=1\nsimulated:seed=2\n")
    budgets = BudgetOptions(latency_ms={f"pool:{file}": 1000.0}, parameters=60_000)
    created = config(search=SEARCH.model_copy(update={"evaluator": "training"}), budgets=budgets)
    seen = captured(store, tmp_path / "run", created, monkeypatch, workers=workers, told=moments.append)
    moments.clear()
    seen["on_progress"](Progress("winners", 1, 6, "measuring a net"))
    (pool,) = seen["context"].devices.values()
    candidate = Candidate("net", saved(small_net(), tmp_path / "net.onnx"))
    assert len(list(pool.measure([candidate], nominal_reference_ms=2.0, protocol=FAST))) == 1
    told = [(moment.stage, moment.done, moment.note) for moment in moments]
    assert told == [("winners", 1, f"measuring a net, 2 devices, {measuring} measuring") for measuring in (0, 1, 0)]


def test_a_changed_device_is_refused(store: MeasurementStore, tmp_path: Path) -> None:
    created = config()
    (target,) = created.targets
    other = created.model_copy(update={"targets": (target.model_copy(update={"fingerprint": "0" * 16}),)})
    with pytest.raises(UserError, match="device cpu of run"):
        RunContext.open(tmp_path, other, store)
    two = created.model_copy(update={"targets": (target.model_copy(update={"threads": 2}),)})
    with pytest.raises(UserError, match="device cpu of run"):
        RunContext.open(tmp_path, two, store)


def test_the_weights_of_the_evaluator_are_exported_for_measuring(
    store: MeasurementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.evaluators.training import TrainingEvaluator

    exported: list[str] = []
    weights = TrainingEvaluator.weights

    def note(self: TrainingEvaluator, architecture: object) -> object:
        module = weights(self, architecture)  # type: ignore[arg-type]
        assert module is not None
        exported.append(architecture.id)  # type: ignore[attr-defined]
        return module

    monkeypatch.setattr(TrainingEvaluator, "weights", note)
    search = SearchOptions(space="vectors", trials=1, calibration_nets=0)
    context = RunContext.open(tmp_path / "run", config(DataOptions(source="vectors:64"), search), store)
    result = launch(context, budgets_of(context))
    assert exported == [result.winners[0].id]


def test_the_noise_floor_belongs_to_the_certificates_rule(tmp_path: Path) -> None:
    device, path = get_device("cpu"), tmp_path / "model.onnx"
    path.write_bytes(b"model")
    measured = measurement(path, latency_ms=0.9)
    for percent, holds in ((1.0, True), (30.0, False)):
        with MeasurementStore(tmp_path / f"{percent}.sqlite") as store:
            store.remember_noise_floor(device.info(), NoiseFloor(percent, percent, 10))
            nothing = cast("Any", None)
            finalists = Finalists(
                RunContext(RunFolder(tmp_path), config(DATA), nothing, {"cpu": device}, store, nothing), nothing
            )
            assert finalists.holds(measured, 1.0, "cpu") == holds


def test_a_finalist_that_a_target_refuses_as_a_whole_is_not_measured(
    tmp_path: Path, store: MeasurementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = SearchOptions(space="vectors", trials=1, calibration_nets=0)
    context = RunContext.open(tmp_path / "run", config(DataOptions(source="vectors:64"), search), store)
    refusing = Portability(get_device("cpu"))
    whole = lambda path: path.is_relative_to(tmp_path)  # noqa: E731
    monkeypatch.setattr(Portability, "fault", lambda _, path: "no such file runs there" if whole(path) else "")
    monkeypatch.setattr(RunContext, "portable", (refusing,))
    result = launch(context, budgets_of(context))
    assert not result.winners
    (trial,) = result.trials
    assert {one.reason for one in trial.results} == {"no such file runs there"}
