"""The Python interface: light to import, silent unless asked, the same results as the command line, tested examples."""

from __future__ import annotations

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latseg
from foundation.errors import UserError
from foundation.progress import Progress
from latseg import cli
from latseg.run_handle import RunHandle
from tests.latseg.conftest import DEVICE

HEAVY = {"torch", "onnx", "onnxruntime", "numpy", "sklearn", "pydantic", "typer"}
DOCUMENTED = ("api", "device_handle", "models_on_device", "network_model", "run_handle", "bundle", "table")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import latseg, sys; sys.exit(' '.join({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_making_handles_loads_no_runtime() -> None:
    code = (
        f"import latseg, sys; latseg.Workspace('nowhere').device('cpu');"
        f"sys.exit(' '.join({HEAVY - {'pydantic', 'numpy', 'typer', 'onnx'}!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert not Path("nowhere").exists()


def test_every_name_is_there() -> None:
    assert all(getattr(latseg, name).__name__ == name for name in latseg.__all__)
    assert set(latseg.__all__) <= set(dir(latseg))
    with pytest.raises(AttributeError, match="no attribute 'Network'"):
        _ = latseg.Network  # type: ignore[attr-defined]


def test_as_many_candidates_as_suit_the_evaluator(tmp_path: Path) -> None:
    def trials(**options: Any) -> int:
        budgets = {DEVICE: "2ms"}
        workspace = latseg.Workspace(tmp_path)
        return workspace.search(budgets=budgets, data="synthetic:8", start=False, **options).config.trials

    assert [trials(), trials(evaluator="training"), trials(trials=5)] == [2000, 200, 5]


@pytest.mark.slow
@pytest.mark.parametrize("module", DOCUMENTED)
def test_examples_in_docstrings(module: str, run: RunHandle, model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (30, 40)).save(tmp_path / "photo.png")
    workspace = run.workspace
    names = {
        "workspace": workspace,
        "folder": workspace.path,
        "device": workspace.device(DEVICE),
        "example_model": model,
        "run": run,
        "photo": tmp_path / "photo.png",
    }
    if module == "bundle":
        names["bundle"] = run.train(run.winners[0]).export(formats=["onnx"])
    found = doctest.testmod(importlib.import_module(f"latseg.{module}"), extraglobs=names)
    assert found.failed == 0
    assert found.attempted > 0


def command(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    cli.run([*map(str, words), "--json", "--quiet"])
    return json.loads(capsys.readouterr().out)


def test_predictions_are_those_of_the_command_line(
    workspace: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = latseg.Workspace(workspace).device(DEVICE).predict(model)
    theirs = command(capsys, "--workspace", workspace, "predict", model, "-d", DEVICE)
    assert theirs.pop("warnings") == []
    assert json.loads(json.dumps(ours.to_json())) == theirs


@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")
def test_a_torch_module_is_its_file(workspace: Path, tmp_path: Path) -> None:
    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.ReLU()).train()
    inputs = torch.zeros(1, 3, 32, 32)
    device = latseg.Workspace(workspace).device(DEVICE)
    predicted = device.predict(module, inputs)
    assert module.training
    assert [row["kind"] for row in predicted.operators] == ["Conv"]
    torch.onnx.export(module.eval(), (inputs,), tmp_path / "file.onnx", dynamo=False)
    assert device.predict(tmp_path / "file.onnx").latency_ms == predicted.latency_ms
    assert device.measure(module, inputs).latency_ms > 0
    with pytest.raises(UserError, match="example inputs"):
        device.predict(module)
    with pytest.raises(UserError, match="can export"):
        device.predict(module, torch.zeros(1, 5, 32, 32))


def test_nothing_is_printed_and_progress_can_be_followed(
    workspace: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Progress] = []
    followed = latseg.Workspace(workspace, progress=seen.append)
    followed.device(DEVICE).profile(models=2, operators=0, sizes=["160x160"], choose=False)
    assert seen[-1].done == seen[-1].total == 2
    seen.clear()
    followed.feasibility(budgets={DEVICE: "100ms"}, samples=5, sizes=["128x128"])
    assert [(one.stage, one.done) for one in seen] == [("feasibility", 0), ("feasibility", 1), ("feasibility", 2)]
    latseg.Workspace(workspace).device(DEVICE).measure(model)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    latseg.Workspace(workspace, progress=True).device(DEVICE).profile(
        models=1, operators=0, sizes=["160x160"], choose=False, seed=3
    )
    assert "1/1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_of_both_interfaces(run: RunHandle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = ("--workspace", run.workspace.path)
    assert run.result is not None
    assert run.workspace.runs[-1] == run.id
    again = command(capsys, *shared, "search", "--resume", run.id)
    assert [winner["id"] for winner in again["winners"]] == [winner.id for winner in run.winners]
    trained = run.train(run.winners[0])
    again = command(capsys, *shared, "train", run.id, "-w", run.winners[0].id)
    assert again["quality"] == json.loads(json.dumps(trained.quality.to_json()))
    bundle = trained.export(formats=["onnx"])
    verified = bundle.verify()
    assert not verified.ok
    found = command(capsys, "verify", bundle.path)
    assert [check["ok"] for check in found["checks"]] == [check.ok for check in verified.checks]
    Image.fromarray(np.full((40, 30, 3), 200, np.uint8)).save(tmp_path / "photo.png")
    command(capsys, "segment", bundle.path, tmp_path / "photo.png", "-o", tmp_path)
    written = np.asarray(Image.open(tmp_path / "photo_mask.png"))
    assert np.array_equal(bundle.segment(tmp_path / "photo.png") > 0, written > 0)
    with pytest.raises(UserError, match="letterbox"):
        bundle.segment(tmp_path / "photo.png", policy="crop")


def test_a_table_without_pandas_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from latseg.table import Table

    monkeypatch.setitem(sys.modules, "pandas", None)
    table = Table([{"kind": "<Conv>", "ms": 1.0}, {"kind": "Relu"}])
    with pytest.raises(UserError, match="pip install pandas"):
        table.to_pandas()
    assert "&lt;Conv&gt;" in table._repr_html_()
    assert table.column("ms") == [1.0, None]
    assert len(table[1:]) == 1
