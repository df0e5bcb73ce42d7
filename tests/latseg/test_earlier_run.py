"""``--supernet RUN``: a search that trains no supernet of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latseg.run_handle import RunHandle
from search.evaluators import supernet
from tests.latseg.command_line import document, say
from tests.latseg.conftest import DEVICE

SAME = (
    *("--data", "synthetic:12", "--data-size", "64x64", "--size", "128x128", "--from-scratch"),
    *("--teacher-epochs", "0", "--supernet-steps", "2", "--batch-size", "2", "--calibration-nets", "0"),
    *("--evaluation-images", "2", "--training-threads", "1", "--device", DEVICE, "--max-latency", "1.5ms"),
)


@pytest.mark.slow
def test_the_supernet_of_an_earlier_run_is_used(
    run: RunHandle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[object] = []
    train = supernet.train_supernet
    monkeypatch.setattr(supernet, "train_supernet", lambda *a, **k: trained.append(train(*a, **k)))
    shared = ("--workspace", str(run.workspace.path), "search", "--trials", "2", "--strategy", "random")
    words = tuple(word for word in SAME if word != "--from-scratch")
    found = document(capsys, *shared, *words, "--supernet", run.id)
    assert trained == [[]], "no step was trained"
    folder = Path(run.workspace.path) / "runs" / found["run"]
    config = json.loads((folder / "run.json").read_text())
    assert (config["supernet"], config["evaluator"]) == (run.id, run.config.evaluator)
    assert f"--supernet {run.id}" in config["command"]
    assert (folder / "supernet.safetensors").read_bytes() == (run.path / "supernet.safetensors").read_bytes()
    code, _, err = say(capsys, *shared, *SAME, "--supernet", run.id)
    assert code == 2
    assert f"--supernet {run.id}: got pretrained True; expected pretrained False" in " ".join(err.split())
