"""All steps of the demo on the real device ``cpu`` with the smallest amounts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from latseg import cli
from latseg.demo_photograph import NAME, demo_photograph

demo = sys.modules["latseg.commands.demo"]  # the package has a function of this name
STEPS = ("profile", "fit", "feasibility", "search", "train", "export", "verify", "evaluate", "segment", "report")


@pytest.mark.slow
def test_every_step_runs_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budgets: list[float] = []
    chosen = demo._budget_ms

    def roomy(*arguments: object) -> float:
        budgets.append(chosen(*arguments))  # type: ignore[arg-type]
        return 4 * budgets[-1]  # a busy machine must not decide whether the net is certified

    small = {"trials": 4, "calibration-nets": 2, "teacher-epochs": 1, "supernet-steps": 2, "winner-epochs": 1}
    small |= {
        "scene-steps": 0,
        "evaluator": "supernet",
        "data": "synthetic:16",
        "data-size": "64x64",
        "batch-size": 2,
        "evaluation-images": 2,
        "training-threads": 1,
    }
    monkeypatch.setattr(demo, "PROFILE", {"models": 10, "operators": 8})
    monkeypatch.setattr(demo, "SEARCH", small)
    monkeypatch.setattr(demo, "SAMPLES", 60)
    monkeypatch.setattr(demo, "_budget_ms", roomy)
    put_photograph(tmp_path / "packages", monkeypatch)
    code = cli.run(["--json", "demo", "--output", str(tmp_path), "--seed", "1"])
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert code == 0, captured.err
    assert tuple(document["step_seconds"]) == STEPS
    for step in STEPS:
        assert f"latseg --workspace {tmp_path / 'workspace'} {step} " in captured.err
    assert captured.err.count("--seed 1") == len(STEPS)
    assert (document["certified"], document["ok"], document["simulated"]) == (True, True, False)
    assert 0 < document["feasible_fraction"] <= 1
    assert document["trials"] == 4
    assert Path(document["bundle"], "manifest.json").is_file()
    page = Path(document["path"]).read_text()
    assert page.count("cpu")
    assert len(document["outputs"]) == demo.PORTRAITS + 1
    assert all(Path(row[kind]).is_file() for row in document["outputs"] for kind in ("cutout", "overlay"))
    assert "<figcaption>astronaut, cut out</figcaption>" in page
    assert "Calibration of the opacity on the test part" in page
    assert document["test"]["pictures"] > 0


def put_photograph(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the name and the picture of scikit-image; nothing of it may be run."""
    (folder / "skimage" / "data").mkdir(parents=True)
    (folder / "skimage" / "__init__.py").write_text("raise RuntimeError")
    Image.new("RGB", (40, 50), (200, 150, 120)).save(folder / "skimage" / "data" / NAME)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "skimage", raising=False)


def test_the_photograph_is_copied_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_photograph(tmp_path / "packages", monkeypatch)
    assert demo_photograph(tmp_path)
    assert (tmp_path / NAME).read_bytes() == (tmp_path / "packages" / "skimage" / "data" / NAME).read_bytes()
    (tmp_path / "packages" / "skimage" / "data" / NAME).unlink()
    assert not demo_photograph(tmp_path / "other")
    monkeypatch.setattr("latseg.demo_photograph.find_spec", lambda _: None)
    assert not demo_photograph(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_table_of_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    from latseg.console import Console

    document = {
        "predictors": {"base": {"mape_percent": 99.0}, "used": {"mape_percent": 3.21}}, "handed_over": "used",
        "files": [{"measured_ms": 1.234}], "feasible_fraction": 0.25, "certified": True, "refusals": [],
        "hardware": "A processor", "noise_floor_percent": 0.5, "models": 70, "operators": 40, "test_models": 14,
        "budget_ms": 2.0, "trials": 64, "ok": True, "test": {"mean_iou": 0.87}, "total_seconds": 300.0,
        "step_seconds": {"fit": 5.0, "profile": 80.0, "search": 90.0},
        "near_budget": [{"nets": 9, "factor_before": 1.1, "factor_after": 1.2}], "path": "report.html",
        "outputs": [
            {"image": "portrait1.png", "overlay": "folder/one.png"}, {"image": NAME, "overlay": "folder/two.png"},
        ], "bundle": "bundles/x",
    }  # fmt: skip
    Console().emit(document, lambda: demo._render(Path("w"), document, {"id": "abc", "parameters": 123456}))
    out = capsys.readouterr().out
    shown = ("3.2 %", "1.234 ms", "75 %", "87.0 %", "1.100 -> 1.200", "0.123 M", "--max-latency 1ms")
    for part in (*shown, "5.0 minutes: search 90 s, profile 80 s"):
        assert part in out
    assert "99.0" not in out
    assert "folder/two.png: cut out by a net that has seen painted portraits alone" in " ".join(out.split())
