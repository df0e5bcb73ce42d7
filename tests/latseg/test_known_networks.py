"""Known networks through both interfaces: measured, predicted, trained, exported, certified, verified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import latseg
from devices.measurement import NoiseFloor
from devices.registry import get_device
from foundation.errors import UserError
from foundation.progress import Progress
from latency.store import MeasurementStore
from latseg.run_handle import RunHandle
from latseg.workspace_folder import STORE
from tests.latseg.conftest import DEVICE
from tests.latseg.test_cli import _one_line, document, say
from tests.latseg.test_wiring import StopError, options_of

NETWORK = ("--network", "sinet", "--size", "33x47")
DATA = ("--data", "synthetic:12", "--data-size", "64x64")
SMALL = latseg.TrainingOptions(teacher_epochs=0, winner_epochs=2, scene_steps=0, batch_size=2, threads=1)
SMALL_WORDS = (
    *("--teacher-epochs", "0", "--scene-steps", "0", "--epochs", "2"),
    *("--batch-size", "2", "--training-threads", "1"),
)


def new_run(workspace: latseg.Workspace, **changes: Any) -> RunHandle:
    data = latseg.DataOptions(source="synthetic:12", size=(64, 64))
    return workspace.network("sinet", **{"data": data, "size": "33x47", "training": SMALL, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunHandle:
    """A run whose network is trained, in a workspace of its own; the processor is known as a steady one."""
    folder = tmp_path_factory.mktemp("networks")
    device = get_device("cpu")
    info = device.info()
    with MeasurementStore(folder / STORE) as store:
        store.remember_reference(info, device.nominal_reference_ms())
        store.remember_noise_floor(info, NoiseFloor(1.0, 1.0, 10))
    run = new_run(latseg.Workspace(folder))
    run.train()
    return run


@pytest.fixture(scope="module")
def bundle(trained: RunHandle) -> latseg.Bundle:
    return trained.export(budgets={"cpu": "1000s"})


def test_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--network", "unet:width=2", "--size", "64x32", "--classes", "5", "-d", DEVICE)
    measured = document(capsys, "--workspace", str(tmp_path), "measure", *words)
    assert measured["simulated"]
    assert measured["operators"][-1]["output"] == "5x64x32"
    model = latseg.NetworkModel("unet:width=2", (64, 32), classes=5)
    again = latseg.Workspace(tmp_path).device(DEVICE).measure(model)
    assert again.latency_ms == pytest.approx(measured["latency_ms"], rel=0.1)
    _, out, _ = say(capsys, "--workspace", str(tmp_path), "measure", *words)
    assert out.startswith("unet:width=2 at 64x32: ")


def test_trained_and_exported_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shared = ("--workspace", str(tmp_path))
    found = document(capsys, *shared, "train", *NETWORK, *DATA, *SMALL_WORDS)
    assert (found["network"], found["epochs"], found["data"]) == ("sinet", 2, "synthetic:12")
    assert 0 <= found["quality"]["mean_iou"] <= 1
    assert Path(found["checkpoint"]).is_file()
    code, out, _ = say(capsys, *shared, "train", found["run"], "--quiet")
    assert code == 0
    assert "sinet: mean_iou" in out
    assert f"export {found['run']} --max-latency LIMIT" in out
    err = _one_line(capsys, 2, *shared, "export", found["run"])
    assert "--max-latency" in err
    words = ("export", found["run"], "-d", DEVICE, "--max-latency", "9s", "-f", "onnx", "-f", "onnx-dynamic")
    code, out, _ = say(capsys, *shared, *words, "--json", "--quiet")
    assert code == 4, "a simulated device certifies nothing"
    exported = json.loads(out)
    assert all(file["parity_mask_iou"] > 0.99 for file in exported["files"])
    reproduce = latseg.Bundle(exported["bundle"]).manifest.reproduce
    assert " export RUN --device simulated:noise=0.02 --max-latency 9000ms" in reproduce
    assert " train --network sinet --size 33x47 --data synthetic:12 --data-size 64x64 --epochs 2" in reproduce


@pytest.mark.slow
def test_a_certificate_like_that_of_a_winner(bundle: latseg.Bundle, trained: RunHandle) -> None:
    assert bundle.certified
    (certificate,) = bundle.manifest.certificates
    assert certificate.budget_ms == 1e6
    assert bundle.manifest.parameters == 86_910
    assert bundle.manifest.architecture == {"space": "sinet", "choices": {"height": 33, "width": 47}}
    scores = {score.metric: score.value for score in bundle.manifest.quality}
    assert scores["mean_iou"] == pytest.approx(trained.train().quality.value, abs=1e-3)
    result = bundle.verify(measure=False)
    assert [check.name for check in result.checks if not check.ok] == []
    assert "architecture" in {check.name for check in result.checks}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", {"space": "sinet", "choices": {"height": 47, "width": 33}}),
        ("architecture", {"space": "lraspp", "choices": {"height": 33, "width": 47}}),
        ("architecture", {"space": "unet:width=1024", "choices": {"height": 33, "width": 47}}),
        ("parameters", 86_911),
    ],
)
def test_another_network_than_the_manifest_names(bundle: latseg.Bundle, tmp_path: Path, key: str, value: Any) -> None:
    shutil.copytree(bundle.path, tmp_path / "other")
    path = tmp_path / "other" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    checks = latseg.Bundle(tmp_path / "other").verify(measure=False).checks
    assert "architecture" in {check.name for check in checks if not check.ok}


def test_scored_like_a_winner(trained: RunHandle) -> None:
    (found,) = trained.evaluate(part="validation").models
    assert trained.network is not None
    assert (found.model, found.scores.quality.images) == (trained.network.id, trained.train().quality.examples)
    assert found.scores.quality.mean_iou == pytest.approx(trained.train().quality.value, abs=0.02)


def test_an_interrupted_training_goes_on(trained: RunHandle, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage.startswith("train") and progress.done > progress.total // 2:
            raise KeyboardInterrupt

    run = new_run(latseg.Workspace(tmp_path, progress=stop))
    with pytest.raises(KeyboardInterrupt):
        run.train()
    again = latseg.Workspace(tmp_path).run(run.id)
    with pytest.raises(UserError, match="of 2 epochs of training"):
        again.export(budgets={DEVICE: "1s"}, formats=["onnx"])
    assert again.train().quality == trained.train().quality
    assert again.train().result.epochs == 2


def test_a_damaged_checkpoint_is_found(trained: RunHandle, tmp_path: Path) -> None:
    shutil.copytree(trained.workspace.path, tmp_path / "copy")
    workspace = latseg.Workspace(tmp_path / "copy")
    assert workspace.doctor().ok
    (path,) = (tmp_path / "copy").glob("runs/*/winners/*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    (damaged,) = workspace.doctor().damaged
    assert damaged.kind == "checkpoint"


def test_what_only_a_search_has(capsys: pytest.CaptureFixture[str], trained: RunHandle) -> None:
    shared = ("--workspace", str(trained.workspace.path))
    for words in (("report", trained.id), ("search", "--resume", trained.id)):
        assert "the run of one network, sinet" in _one_line(capsys, 2, *shared, *words)
    search = ("search", "-d", DEVICE, "--max-latency", "1s", *DATA, "--space", "sinet")
    assert "search space" in _one_line(capsys, 2, *shared, *search)
    assert "the only net" in _one_line(capsys, 2, *shared, "train", trained.id, "--winner", "0123456789")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("train",), "RUN with --winner, or --network with --data"),
        (("train", *NETWORK), "--data"),
        (("train", "--network", "sinet", *DATA), "--size"),
        (("train", "--network", "vgg", "--size", "64x64", *DATA), "vgg"),
        (("train", "--network", "unet:width=wide", "--size", "64x64", *DATA), "width"),
        (("train", "some-run", *NETWORK), "--network with RUN"),
        (("measure", "-d", DEVICE), "either MODEL.onnx or --network"),
        (("measure", "net.onnx", *NETWORK, "-d", DEVICE), "net.onnx and --network"),
        (("predict", "net.onnx", "--size", "8x8", "-d", DEVICE), "only with --network"),
        (("predict", "net.onnx", "--classes", "3", "-d", DEVICE), "only with --network"),
        (("predict", "--network", "sinet", "-d", DEVICE), "--size"),
        (("measure", "--network", "sinet", "--size", "8", "-d", DEVICE), "HEIGHTxWIDTH"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    assert expected in _one_line(capsys, 2, "--workspace", str(tmp_path), *words)


def test_batch_normalisation_needs_two_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch size"):
        new_run(latseg.Workspace(tmp_path), training=SMALL.model_copy(update={"batch_size": 1}))


TRAIN_OPTIONS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "--network": (("unet:width=2",), {"space", "max_parameters"}),
    "--size": (("64x32",), {"sizes"}),
    "--data": (("synthetic:16",), {"data"}),
    "--data-size": (("32x64",), {"data_size"}),
    "--data-count": (("8",), {"data_count"}),
    "--resize-masks": ((), {"resize_masks"}),
    "--epochs": (("4",), {"winner_epochs"}),
    "--scene-steps": (("6",), {"scene_steps"}),
    "--teacher-epochs": (("1",), {"teacher_epochs"}),
    "--training-size": (("32x32",), {"training_size"}),
    "--batch-size": (("4",), {"batch_size"}),
    "--training-threads": (("2",), {"threads"}),
    "--training-device": (("cuda:7",), {"device"}),
    "--from-scratch": ((), {"pretrained"}),
    "--seed": (("5",), {"seed"}),
}


def run_file(folder: Path, *words: str) -> dict[str, Any]:
    from latseg import cli

    assert cli.run(["--workspace", str(folder), "--quiet", *words]) == StopError.exit_code
    (path,) = folder.glob("runs/*/run.json")
    found = json.loads(path.read_text())
    return {
        **{key: value for key, value in found.items() if key not in ("run", "created", "sha256")},
        **found["effort"],
    }


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise StopError

    monkeypatch.setattr("search.winners.training.train_net", stop)


@pytest.mark.usefixtures("without_training")
@pytest.mark.parametrize("option", list(TRAIN_OPTIONS))
def test_every_option_counts_and_is_in_the_command(option: str, tmp_path: Path) -> None:
    values, expected = TRAIN_OPTIONS[option]
    words = ("train", *NETWORK, *DATA, *SMALL_WORDS)
    plain, changed = run_file(tmp_path / "plain", *words), run_file(tmp_path / "changed", *words, option, *values)
    differ = {key for key in plain if plain[key] != changed[key]} - {"versions"}
    assert differ == expected | {"command"} | ({"effort"} if expected <= changed["effort"].keys() else set())
    _, _, _, *repeated = changed["command"].split()
    again = run_file(tmp_path / "again", *repeated)
    assert {key for key in again if again[key] != changed[key]} == {"command"}


def test_every_option_of_train_is_tested() -> None:
    assert options_of("train") == set(TRAIN_OPTIONS) | {
        "--winner", "--teacher", "--unlabelled", "--tensorboard", "--wandb",
    }  # fmt: skip
