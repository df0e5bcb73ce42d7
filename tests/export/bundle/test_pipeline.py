from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from export.bundle import pipeline_times
from export.bundle.manifest import Manifest, read_manifest
from export.bundle.pipeline import Pipeline
from export.bundle.verify import verify_bundle
from tests.export.conftest import runtime_device

Make = Callable[..., Manifest]


@pytest.fixture
def _few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_PROCESSES": 2, "_RUNS": 3, "_HEIGHT": 120, "_WIDTH": 160}.items():
        monkeypatch.setattr(pipeline_times, name, value)


@pytest.mark.usefixtures("_few_runs")
def test_a_bundle_says_how_long_its_script_takes(make_bundle: Make, tmp_path: Path) -> None:
    found = make_bundle(time_pipeline=True).pipeline
    assert isinstance(found, Pipeline)
    assert (found.picture, found.threads, found.runs, found.processes) == ("JPEG of 160 x 120", 1, 6, 2)
    steps = (found.decode, found.prepare, found.net, found.enlarge)
    for times in (*steps, found.total, found.load, found.cold_start):
        assert 0 < times.low_ms <= times.median_ms <= times.high_ms
    assert max(one.median_ms for one in steps) < found.total.median_ms < sum(one.high_ms for one in steps)
    assert found.load.median_ms < found.cold_start.median_ms
    folder = tmp_path / "bundle"
    assert read_manifest(folder).pipeline == found
    assert f"- {found}\n" in (folder / "README.md").read_text()
    result = verify_bundle(folder, measure=False, get_device=runtime_device)
    assert result.ok, result.checks
    assert [check.detail for check in result.checks if check.name.startswith("pipeline")] == [str(found)]


def test_a_bundle_without_says_nothing(make_bundle: Make, tmp_path: Path) -> None:
    assert make_bundle().pipeline is None
    result = verify_bundle(tmp_path / "bundle", measure=False, get_device=runtime_device)
    assert result.ok
    assert not [check for check in result.checks if check.name.startswith("pipeline")]


@pytest.mark.usefixtures("_few_runs")
def test_what_only_readme_or_manifest_says_is_a_fault(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(time_pipeline=True)
    manifest = tmp_path / "bundle" / "manifest.json"
    content = json.loads(manifest.read_text())
    for change in ({**content["pipeline"], "threads": 2}, None):
        manifest.write_text(json.dumps({**content, "pipeline": change}))
        result = verify_bundle(tmp_path / "bundle", measure=False, get_device=runtime_device)
        assert [check.name for check in result.checks if not check.ok] == ["manifest against README.md"]


@pytest.mark.usefixtures("_few_runs")
def test_a_script_that_fails_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "segment.py").write_text("raise SystemExit('no runtime here')")
    with caplog.at_level(logging.WARNING):
        assert pipeline_times.pipeline_times(tmp_path, 1) is None
    assert "the pipeline was not timed: segment.py failed: no runtime here" in caplog.text
