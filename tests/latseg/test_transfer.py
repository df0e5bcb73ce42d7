"""A winner is trained for another task: other classes, whole pictures, with and without its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import latseg
from devices.model_file import sha256_of
from foundation.errors import UserError
from foundation.progress import Progress
from latency.store import MeasurementStore
from latseg.run_handle import RunHandle
from latseg.workspace_folder import STORE
from search.run_context import RunContext
from search.run_folder import RunFolder
from search.transfers.target import Target, open_target
from search.winners.export import trained_module
from tests.latseg.conftest import DEVICE
from tests.latseg.test_cli import _one_line, document, say
from tests.latseg.test_wiring import StopError, options_of
from tests.segmentation.data.drawn_classes import class_folders, svhn
from tests.segmentation.data.test_contract import _write_pairs

SIZE = (32, 32)
SMALL: dict[str, Any] = {"epochs": 1, "teacher_epochs": 0}
WORDS = ("--data-size", "32x32", "--epochs", "1", "--teacher-epochs", "0")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with masks of 19 classes, and classified ones."""
    place = tmp_path_factory.mktemp("other")
    _write_pairs(place / "faces", 10, 19)
    class_folders(place / "colours")
    return place


@pytest.fixture(scope="module")
def handle(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> RunHandle:
    """The finished run, in a workspace of its own."""
    folder = tmp_path_factory.mktemp("transfers") / "workspace"
    shutil.copytree(finished, folder)
    workspace = latseg.Workspace(folder)
    return workspace.run(workspace.runs[0])


def faces(place: Path) -> latseg.DataOptions:
    return latseg.DataOptions(source=f"celebamask:{place}/faces", size=SIZE)


def target_of(handle: RunHandle, data: latseg.DataOptions) -> tuple[Target, dict[str, torch.Tensor], Any]:
    """The task of a transfer, the trained winner's weights, and those that the transfer takes."""
    with MeasurementStore(handle.workspace.path / STORE) as store:
        context = RunContext.open(handle.path, handle.config, store)
        net = handle.winners[0].architecture
        target = open_target(context, data, 0, net)
        trained = trained_module(context, net)
    return target, trained.state_dict(), target.fitting(trained, net, handle.config.classes)


def weights_of_winner(handle: RunHandle) -> str:
    return sha256_of(RunFolder(handle.path).training(handle.winners[0].id))


def test_more_classes_with_and_without_the_weights_of_the_winner(handle: RunHandle, place: Path) -> None:
    notes: list[str] = []
    first = handle.transfer(faces(place), on_note=notes.append, **SMALL)
    assert first.rows.column("start") == ["winner"]
    both = handle.transfer(faces(place), from_scratch=True, **SMALL)
    assert both.folder == first.folder
    assert both.rows.column("start") == ["winner", "scratch"]
    assert both.rows.column("task") == ["segmentation, 19 classes"] * 2
    assert both.rows[0] == first.rows[0]
    assert both.rows[1]["mean_iou"] != both.rows[0]["mean_iou"]
    record, winner = both.result.record, handle.winners[0]
    assert record.winner == winner.id, "the best winner by default"
    assert record.parameters > winner.parameters
    assert len(record.classes) == 19
    (latency,) = record.latencies
    assert (latency.device, latency.budget_ms, latency.simulated, latency.measured) == (DEVICE, 2.0, True, True)
    assert latency.latency_ms > winner.measured_ms[DEVICE]
    assert "SIMULATED" in both.rows[0]["latency"]
    assert all((both.folder / one.checkpoint).is_file() for one in record.results)
    assert notes == [f"data: {note}" for note in both.result.data_notes]


def test_the_trunk_begins_with_the_winner_and_the_head_is_fresh(handle: RunHandle, place: Path) -> None:
    target, trained, taken = target_of(handle, faces(place))
    assert all(torch.equal(value, trained[key]) for key, value in taken.items())
    net = handle.winners[0].architecture
    started = target.task(handle.config.task_options(handle.path), taken).build(net).state_dict()
    left = {key for key in trained if key not in taken or not torch.equal(started[key], trained[key])}
    assert 0 < len(left) <= 4, "the head"
    assert {int(key.split(".")[1]) for key in left} <= set(range(len(target.nets.lower(net).operators))[-4:])


def test_equal_classes_keep_the_head(handle: RunHandle) -> None:
    _, trained, taken = target_of(handle, latseg.DataOptions(source="synthetic:8?people", size=SIZE))
    assert taken.keys() == trained.keys()


def test_other_classes_of_the_same_number_do_not(handle: RunHandle, tmp_path: Path) -> None:
    folder = _write_pairs(tmp_path, 6, 2)
    (folder / "classes.txt").write_text("background\nhair\n")
    _, trained, taken = target_of(handle, latseg.DataOptions(source=f"folder:{folder}", size=SIZE))
    assert taken.keys() < trained.keys()


def test_the_encoder_classifies_pictures(handle: RunHandle, place: Path) -> None:
    data = latseg.DataOptions(source=f"images:{place}/colours", size=SIZE)
    found = handle.transfer(data, handle.winners[0], predicted=True, **SMALL)
    record = found.result.record
    assert (record.task, record.classes) == ("classification", ("blue", "green", "red"))
    assert record.parameters < handle.winners[0].parameters
    (latency,) = record.latencies
    assert latency.upper_ms is not None
    assert latency.latency_ms < latency.upper_ms < handle.winners[0].upper_ms[DEVICE]
    assert "predicted, at most" in found.rows[0]["latency"]
    assert set(record.results[0].metrics) == {"accuracy", "mean_f1"}
    measured = handle.transfer(data, **SMALL).result.record.latencies
    assert measured[0].measured, "a measurement takes the place of a prediction"
    assert handle.transfer(data, predicted=True, **SMALL).result.record.latencies == measured, "and stays"


def test_an_interrupted_transfer_goes_on(handle: RunHandle, place: Path) -> None:
    data = latseg.DataOptions(source=f"svhn:{svhn(place / 'digits', train=30)}", size=SIZE)
    amounts: dict[str, Any] = {"epochs": 2, "teacher_epochs": 0, "predicted": True}

    def stop(progress: Progress) -> None:
        if progress.stage.startswith("train") and progress.done > progress.total // 2:
            raise KeyboardInterrupt

    stopping = latseg.Workspace(handle.workspace.path, progress=stop).run(handle.id)
    with pytest.raises(KeyboardInterrupt):
        stopping.transfer(data, **amounts)
    moments: list[Progress] = []
    going_on = latseg.Workspace(handle.workspace.path, progress=moments.append).run(handle.id)
    resumed = going_on.transfer(data, **amounts)
    training = [moment for moment in moments if moment.stage.startswith("train")]
    assert training[0].done > training[0].total // 2
    shutil.rmtree(resumed.folder)
    whole = handle.transfer(data, **amounts)
    assert whole.result.record.results[0].metrics == resumed.result.record.results[0].metrics
    moments.clear()
    going_on.transfer(data, **amounts)
    assert not [moment for moment in moments if moment.stage.startswith("train")], "a finished one is not repeated"


def test_a_winner_that_was_trained_again_is_transferred_anew(finished: Path, tmp_path: Path) -> None:
    workspace = latseg.Workspace(shutil.copytree(finished, tmp_path / "workspace"))
    run = workspace.run(workspace.runs[0])
    data = latseg.DataOptions(source="synthetic:6", size=SIZE)
    amounts: dict[str, Any] = {**SMALL, "predicted": True}
    scratch = run.transfer(data, from_scratch=True, **amounts).result.record.results
    before = run.transfer(data, **amounts)
    first = weights_of_winner(run)
    weights = RunFolder(run.path).training(run.winners[0].id)
    weights.unlink()
    run.train(run.winners[0], epochs=2)
    assert weights_of_winner(run) != first
    after = run.transfer(data, **amounts)
    assert after.folder == before.folder
    assert [one.winner_sha256 for one in before.result.record.results] == [first, None]
    assert [one.winner_sha256 for one in after.result.record.results] == [weights_of_winner(run), None]
    assert after.result.record.results[0].checkpoint != before.result.record.results[0].checkpoint
    learned = [one.result.trained.module.state_dict() for one in (before, after)]
    assert any(not torch.equal(value, learned[1][key]) for key, value in learned[0].items())
    assert after.result.record.results[1:] == scratch


@pytest.mark.parametrize(("given", "expected"), [(None, 7), (0, 0)])
def test_the_seed_is_the_runs_unless_given(
    handle: RunHandle, monkeypatch: pytest.MonkeyPatch, given: int | None, expected: int
) -> None:
    seen: list[int] = []

    def stop(task: Any, *_: object, **__: object) -> None:
        seen.append(task.options.seed)
        raise StopError

    monkeypatch.setattr("search.tasks.segmentation.SegmentationTask.train", stop)
    monkeypatch.setitem(handle.__dict__, "config", handle.config.model_copy(update={"seed": 7}))
    with pytest.raises(StopError):
        handle.transfer("synthetic:6", seed=given, from_scratch=True, **SMALL)
    assert seen == [expected]


def test_the_training_device_reaches_the_training(handle: RunHandle) -> None:
    with pytest.raises(UserError, match="training device cuda:99"):
        handle.transfer("synthetic:6", training_device="cuda:99", from_scratch=True, seed=3, **SMALL)
    with pytest.raises(UserError, match="training device: got 'gpu'; expected cpu, cuda or cuda:NUMBER"):
        handle.transfer("synthetic:6", training_device="gpu", **SMALL)


def test_on_the_command_line(capsys: pytest.CaptureFixture[str], handle: RunHandle, place: Path) -> None:
    shared = ("--workspace", str(handle.workspace.path), "transfer", handle.id)
    data = ("--data", f"images:{place}/colours", *WORDS)
    found = document(capsys, *shared, *data, "--seed", "1")
    assert (found["run"], found["winner"], found["task"]) == (handle.id, handle.winners[0].id, "classification")
    assert [one["start"] for one in found["results"]] == ["winner"]
    assert found["latencies"][0]["measured"]
    assert json.loads((Path(found["folder"]) / "transfer.json").read_text())["parameters"] == found["parameters"]
    code, out, _ = say(capsys, *shared, *data, "--seed", "1", "--from-scratch")
    assert code == 0
    for text in ("classification, 3 classes", "scratch", "winner", "accuracy", "measured, SIMULATED", found["folder"]):
        assert text in out.replace("\n", "").replace("│ ", "") or text in out


def test_doctor_finds_damage(handle: RunHandle, place: Path, tmp_path: Path) -> None:
    handle.transfer(faces(place), **SMALL)
    copied = tmp_path / "workspace"
    shutil.copytree(handle.workspace.path, copied)
    for kept in (copied / "runs" / handle.id / "transfers").iterdir():
        for path in (kept / "transfer.json", *kept.glob("winner-*.safetensors")):
            content = bytearray(path.read_bytes())
            content[-20] ^= 4
            path.write_bytes(content)
    damaged = {Path(file.path).name: file for file in latseg.Workspace(copied).doctor().damaged}
    assert set(damaged) == {"transfer.json", f"winner-{weights_of_winner(handle)[:8]}.safetensors"}
    assert all("latseg transfer" in file.remedy for file in damaged.values())
    with pytest.raises(UserError, match="checkpoint"):
        latseg.Workspace(copied).run(handle.id).transfer(faces(place), **SMALL)


def test_known_networks_have_masks_but_no_encoder(place: Path, tmp_path: Path) -> None:
    data = latseg.DataOptions(source="synthetic:12", size=(64, 64))
    small = latseg.TrainingOptions(teacher_epochs=0, winner_epochs=1, scene_steps=0, batch_size=2, threads=1)
    run = latseg.Workspace(tmp_path).network("sinet", data=data, size="33x47", training=small)
    run.train()
    found = run.transfer(faces(place), epochs=1)
    assert found.rows[0]["latency"] is None, "it has no budget and no device"
    assert len(found.result.record.classes) == 19
    with pytest.raises(UserError, match="does not say where its encoder ends"):
        run.transfer(f"images:{place}/colours")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "--data"),
        (("--data", "fonts:here"), "data source"),
        (("--data", "images:/no/such/folder"), "no /no/such/folder"),
        (("--data", "synthetic:8", "--winner", "0123456789"), "--winner"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], handle: RunHandle, words: tuple[str, ...], expected: str
) -> None:
    err = _one_line(capsys, 2, "--workspace", str(handle.workspace.path), "transfer", handle.id, *words)
    assert expected in err


def test_a_winner_must_be_trained_unless_it_starts_from_scratch(
    capsys: pytest.CaptureFixture[str], finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    (run,) = (tmp_path / "copy" / "runs").iterdir()
    shutil.rmtree(run / "winners")
    words = ("--workspace", str(tmp_path / "copy"), "transfer", run.name, "--data", "synthetic:6", *WORDS)
    assert f"train {run.name} --winner" in _one_line(capsys, 2, *words)
    found = document(capsys, *words, "--from-scratch", "--predicted")
    assert [one["start"] for one in found["results"]] == ["scratch"]


OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "--winner": (("0123456789",), {"winner": "0123456789"}),
    "--data": (("synthetic:9",), {"data": latseg.DataOptions(source="synthetic:9")}),
    "--data-size": (("32x64",), {"data": latseg.DataOptions(source="synthetic:8", size=(32, 64))}),
    "--data-count": (("4",), {"data": latseg.DataOptions(source="synthetic:8", count=4)}),
    "--resize-masks": ((), {"data": latseg.DataOptions(source="synthetic:8", resize_masks=True)}),
    "--epochs": (("3",), {"epochs": 3}),
    "--teacher-epochs": (("0",), {"teacher_epochs": 0}),
    "--from-scratch": ((), {"from_scratch": True}),
    "--predicted": ((), {"predicted": True}),
    "--seed": (("5",), {"seed": 5}),
    "--training-device": (("cuda:7",), {"training_device": "cuda:7"}),
}


@pytest.mark.parametrize("option", list(OPTIONS))
def test_every_option_is_passed_on(option: str, monkeypatch: pytest.MonkeyPatch, handle: RunHandle) -> None:
    from latseg import cli

    calls: list[dict[str, Any]] = []

    def noted(_: RunHandle, data: latseg.DataOptions, winner: str | None, *, on_note: object, **values: Any) -> None:
        calls.append({"data": data, "winner": winner, **values})
        raise StopError

    monkeypatch.setattr(RunHandle, "transfer", noted)
    words = ("--workspace", str(handle.workspace.path), "transfer", handle.id, "--data", "synthetic:8")
    values, expected = OPTIONS[option]
    for more in ((), (option, *values)):
        assert cli.run([*words, *more]) == StopError.exit_code
    plain, changed = calls
    assert {name: value for name, value in changed.items() if value != plain[name]} == expected


def test_every_option_is_tested() -> None:
    assert options_of("transfer") == set(OPTIONS)


@pytest.mark.parametrize("change", [{"epochs": 2}, {"teacher_epochs": 1}, {"seed": 1}])
def test_each_amount_has_a_folder_of_its_own(
    handle: RunHandle, monkeypatch: pytest.MonkeyPatch, change: dict[str, int]
) -> None:
    """And the amounts reach the training."""
    seen: list[Any] = []

    def stop(task: Any, *_: object, checkpoint: Path, **__: object) -> None:
        seen.append((checkpoint, task.options))
        raise StopError

    monkeypatch.setattr("search.tasks.segmentation.SegmentationTask.train", stop)
    for amounts in (SMALL, {**SMALL, **change}):
        with pytest.raises(StopError):
            handle.transfer(latseg.DataOptions(source="synthetic:6", size=SIZE), **amounts)
    (first, _), (second, options) = seen
    assert first.name == second.name == f"winner-{weights_of_winner(handle)[:8]}.safetensors"
    assert first.parent != second.parent
    assert options.folder == second.parent
    given = {"epochs": options.training.winner_epochs, "teacher_epochs": options.training.teacher_epochs}
    given["seed"] = options.seed
    assert {name: given[name] for name in change} == change
