"""Every option of ``profile``, ``fit`` and ``search`` changes what the library is asked to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import typer.main
from PIL import Image

from devices.reference_net import REFERENCE_NET
from foundation.errors import UserError
from latseg import cli
from latseg.workspace_folder import WorkspaceFolder
from search.run_context import RunContext
from tests.latseg.conftest import DEVICE

SEARCH = ("search", "-d", DEVICE, "--max-latency", "2ms", "--data", "synthetic:12", "--data-size", "64x64")
SEARCH_OPTIONS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "--device": (("--device", "simulated:noise=0.5", "--max-latency", "3ms"), {"targets"}),
    "--max-latency": (("--device", "cpu", "--max-latency", "3ms"), {"targets"}),
    "--max-params": (("0.2M",), {"max_parameters"}),
    "--portable": (("openvino,simulated",), {"portable"}),
    "--allow-fallback": ((), {"allow_fallback"}),
    "--threads": (("--device", "cpu", "--max-latency", "3ms", "--threads", "2"), {"targets"}),
    "--data": (("synthetic:16",), {"data"}),
    "--data-size": (("32x64",), {"data_size"}),
    "--data-count": (("8",), {"data_count"}),
    "--resize-masks": ((), {"resize_masks"}),
    "--calibration-nets": (("3",), {"near_budget"}),
    "--near-budget": (("3",), {"near_budget"}),
    "--strategy": (("random",), {"strategy"}),
    "--evaluator": (("training:epochs=1",), {"evaluator", "trials"}),
    "--trials": (("7",), {"trials"}),
    "--winners": (("2",), {"winners"}),
    "--size": (("128x128",), {"sizes"}),
    "--no-resize": ((), {"space"}),
    "--teacher-epochs": (("1",), {"effort.teacher_epochs"}),
    "--supernet-steps": (("3",), {"effort.supernet_steps"}),
    "--winner-epochs": (("4",), {"effort.winner_epochs"}),
    "--scene-steps": (("6",), {"effort.scene_steps"}),
    "--training-size": (("32x32",), {"effort.training_size"}),
    "--batch-size": (("4",), {"effort.batch_size"}),
    "--evaluation-images": (("5",), {"effort.evaluation_images"}),
    "--training-threads": (("1",), {"effort.threads"}),
    "--training-device": (("cuda:7",), {"effort.device"}),
    "--teacher": ((f"{REFERENCE_NET}:person=1",), {"effort.teacher"}),
    "--unlabelled": (
        ("PHOTOGRAPHS", "--teacher-epochs", "1"),
        {"effort.unlabelled", "effort.teacher_epochs", "data_notes"},
    ),
    "--from-scratch": ((), {"effort.pretrained"}),
    "--seed": (("5",), {"seed"}),
}
FOLLOWING = {"--tensorboard", "--wandb", "--optuna-storage"}
"""Tested in ``test_tensorboard``, ``test_trackers`` and ``test_optuna_storage``."""
NOT_TESTED_HERE = {
    "search": {"--space", "--resume", "--cluster", "--supernet", "--budgets"} | FOLLOWING,
    "profile": {"--space", "--input"},
    "fit": set(),
}


class StopError(UserError):
    """Ends a command where the work would begin."""

    def __init__(self) -> None:
        super().__init__("work", seen="some", expected="none", remedy="stop")


def options_of(command: str) -> set[str]:
    """Long names of its options; of a flag with a negation only the first."""
    found = typer.main.get_command(cli.app).commands[command]  # type: ignore[attr-defined]
    names = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return {name for name in names if name.startswith("--")}


@pytest.fixture
def without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise StopError

    monkeypatch.setattr("search.launch.launch", stop)
    monkeypatch.setattr("search.tasks.segmentation.SegmentationTask.compare_teacher", lambda *_: ())
    monkeypatch.setattr(WorkspaceFolder, "predictor", lambda *_: None)


def flat(document: dict[str, Any]) -> dict[str, Any]:
    document = {key: value for key, value in document.items() if key not in ("run", "created", "command", "versions")}
    effort = document.pop("effort")
    return document | {f"effort.{key}": value for key, value in effort.items()}


def photographs(folder: Path) -> str:
    """A folder with one picture."""
    (folder / "more").mkdir(exist_ok=True)
    Image.new("RGB", (64, 64)).save(folder / "more" / "one.png")
    return str(folder / "more")


def run_file(folder: Path, *words: str) -> dict[str, Any]:
    words = tuple(photographs(folder.parent) if word == "PHOTOGRAPHS" else word for word in words)
    assert cli.run(["--workspace", str(folder), "--quiet", *SEARCH, *words]) == StopError.exit_code
    (path,) = folder.glob("runs/*/run.json")
    return content(path)


def content(path: Path) -> dict[str, Any]:
    """What a run's file says, without its checksum."""
    document = json.loads(path.read_text())
    del document["sha256"]
    return flat(document)


@pytest.fixture(scope="module")
def plain_run() -> dict[str, Any]:
    return {}


@pytest.mark.usefixtures("without_work")
@pytest.mark.parametrize("option", list(SEARCH_OPTIONS))
def test_search_options(option: str, plain_run: dict[str, Any], tmp_path: Path) -> None:
    if not plain_run:
        plain_run.update(run_file(tmp_path / "plain"))
    values, expected = SEARCH_OPTIONS[option]
    words = values if values[:1] == ("--device",) else (option, *values)
    changed = run_file(tmp_path / "changed", *words)
    assert {key for key in plain_run.keys() | changed.keys() if plain_run.get(key) != changed.get(key)} == expected
    if option == "--threads":
        assert changed["targets"][-1]["threads"] == 2


def test_every_search_option_is_tested() -> None:
    assert options_of("search") == set(SEARCH_OPTIONS) | NOT_TESTED_HERE["search"]


@pytest.mark.usefixtures("without_work")
def test_the_command_of_a_run_starts_the_same_search(tmp_path: Path) -> None:
    repeated = {"--device", "--max-latency", "--threads", "--near-budget", "--data", "--data-size"}
    changed = {option: values for option, (values, _) in SEARCH_OPTIONS.items() if option not in repeated}
    words = [word for option, values in changed.items() for word in (option, *values)]
    first = run_file(tmp_path / "first", *words)
    (path,) = (tmp_path / "first").glob("runs/*/run.json")
    command = json.loads(path.read_text())["command"].split()
    assert command[:3] == ["latseg", "--workspace", str(tmp_path / "first")]
    assert cli.run(["--workspace", str(tmp_path / "second"), "--quiet", *command[3:]]) == StopError.exit_code
    (again,) = (tmp_path / "second").glob("runs/*/run.json")
    assert content(again) == first


@pytest.mark.usefixtures("without_work")
def test_a_budget_is_recorded_and_searched_again_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared = ("--workspace", str(tmp_path), "--quiet")
    words = ("search", "-d", DEVICE, "--max-latency", "1.23456789ms", "--data", "synthetic:12")
    assert cli.run([*shared, *words]) == StopError.exit_code
    (path,) = tmp_path.glob("runs/*/run.json")
    document = json.loads(path.read_text())
    assert document["targets"][0]["maximum_ms"] == 1.23456789
    assert "--max-latency 1.23456789ms" in document["command"]
    searched: list[float] = []

    def stop(context: RunContext, *_: object, **__: object) -> None:
        searched.extend(target.maximum_ms for target in context.config.targets)
        raise StopError

    monkeypatch.setattr("search.launch.launch", stop)
    for again in (["search", "--resume", document["run"]], document["command"].split()[3:]):
        assert cli.run([*shared, *again]) == StopError.exit_code
    assert searched == [1.23456789] * 2


@pytest.mark.usefixtures("without_work")
def test_a_search_that_is_continued_elsewhere_says_so_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(context: RunContext, *_: object, **__: object) -> None:
        assert context.config.training.device == "cpu"
        raise KeyboardInterrupt

    run_file(tmp_path, "--training-device", "cuda:7")
    (run,) = (path.parent.name for path in tmp_path.glob("runs/*/run.json"))
    monkeypatch.setattr("search.launch.launch", interrupt)
    assert cli.run(["--workspace", str(tmp_path), "search", "--resume", run, "--training-device", "cpu"]) == 130
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"search --resume {run} --training-device cpu")


FIT_OPTIONS = {
    "--device": (("cpu",), {"device"}),
    "--threads": (("2",), {"device"}),
    "--test-fraction": (("0.3",), {"test_fraction"}),
    "--alpha": (("0.2",), {"alpha"}),
    "--split": ((), {"split_conformal"}),
    "--compare": ((), {"compare"}),
    "--seed": (("5",), {"seed"}),
}


def fit_arguments(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def fit_device(samples: object, info: Any, **settings: Any) -> None:
        given.update(settings, device=(info.name, info.threads))
        raise StopError

    monkeypatch.setattr("latency.fit.fit_device", fit_device)
    monkeypatch.setattr("latency.predictors.transfer.prior_folder.known_prior", lambda _: None)
    device = () if "--device" in words or "--threads" in words else ("-d", DEVICE)
    assert cli.run(["--workspace", str(folder), "--quiet", "fit", *device, *words]) == StopError.exit_code
    given.pop("on_progress")
    return given


@pytest.mark.parametrize("option", list(FIT_OPTIONS))
def test_fit_options(option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values, expected = FIT_OPTIONS[option]
    plain, changed = (fit_arguments(monkeypatch, tmp_path, *words) for words in ((), (option, *values)))
    assert {key for key in plain if plain[key] != changed[key]} == expected


def test_every_fit_option_is_tested() -> None:
    assert options_of("fit") == set(FIT_OPTIONS) | NOT_TESTED_HERE["fit"]


PROFILE_OPTIONS = {
    "--device": (("simulated:noise=0.5",), {"device"}),
    "--threads": (("2", "--device", "cpu"), {"device"}),
    "--size": (("160x160",), {"items"}),
    "--no-resize": ((), {"items"}),
    "--models": (("4",), {"items"}),
    "--operators": (("2",), {"items"}),
    "--minutes": (("5",), {"minutes"}),
    "--passes": (("5",), {"passes"}),
    "--draw": ((), {"items", "prior_was_read"}),
    "--choose": ((), set()),
    "--retry-failed": ((), {"retry_failed"}),
    "--seed": (("5",), {"items", "seed"}),
    "--for": (("MODEL", "--shape", "x=1x3x16x16"), {"items", "prior_was_read"}),
    "--shape": (("x=1x3x32x32", "--for", "MODEL"), {"items", "prior_was_read"}),
}


def profile_arguments(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def run_campaign(device: Any, store: object, items: Any, **settings: Any) -> None:
        info = device.info()
        given.update(settings, device=(info.name, info.threads), items=[item.label for item in items])
        raise StopError

    def prior_for(*_: object) -> None:
        given["prior_was_read"] = True

    monkeypatch.setattr("latency.campaign.run_campaign", run_campaign)
    monkeypatch.setattr("latency.predictors.transfer.prior_folder.prior_for", prior_for)
    shared = ("--workspace", str(folder), "--quiet", "profile")
    device = () if "--device" in words else ("-d", DEVICE)
    given_models = () if "--models" in words else ("--models", "3")
    assert cli.run([*shared, *device, *given_models, *words]) == StopError.exit_code
    given.pop("on_progress")
    return given


@pytest.mark.parametrize("option", list(PROFILE_OPTIONS))
def test_profile_options(option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 3, h, w] x) => (float[1, 3, h, w] y) {y = Softplus(x)}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    values, expected = PROFILE_OPTIONS[option]
    words = [str(tmp_path / "model.onnx") if value == "MODEL" else value for value in (option, *values)]
    plain, changed = (profile_arguments(monkeypatch, tmp_path, *each) for each in ((), words))
    assert {key for key in plain if plain.get(key) != changed.get(key)} - {"items"} == expected - {"items"}
    if option != "--draw":
        assert (plain["items"] != changed["items"]) == ("items" in expected)
    if option == "--shape":
        other = profile_arguments(monkeypatch, tmp_path, "--shape", "x=1x3x16x16", *words[2:])
        assert other["items"] != changed["items"]


def test_every_profile_option_is_tested() -> None:
    assert options_of("profile") == set(PROFILE_OPTIONS) | NOT_TESTED_HERE["profile"]
