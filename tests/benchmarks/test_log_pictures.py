"""The pictures of a log are kept, those of both halves among them, and so are its findings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search.analysis import analysis
from search.analysis.pictures import style

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_pictures_and_findings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import log_pictures  # type: ignore[import-not-found]

    def only_svg(draw: Any, kind: Any) -> bytes:
        return style.render(draw, kind) if kind == "svg" else b""

    monkeypatch.setattr(analysis, "render", only_svg)  # the others take long
    rng, log = Random(0), tmp_path / "log.csv"
    rows = [f'{i},{rng.random()},{0.4 + 0.1 * rng.randrange(6)},"[{i % 3}, {i % 2}]"' for i in range(120)]
    log.write_text("\n".join(["trial,reward,params_millions,genotype", *rows]))
    words = ["--pictures", str(tmp_path / "pictures"), "--output", str(tmp_path / "result.json")]
    monkeypatch.setattr(sys, "argv", ["log_pictures.py", str(log), *words])
    log_pictures.main()
    kept = {path.name: path.read_text() for path in (tmp_path / "pictures").iterdir()}
    assert kept.keys() == {f"log_{name}.svg" for name in ("parameters", "windows", "diversity", "fronts")}
    for text in ("first_60_trials", "last_60_trials", "reward", "parameters, M"):
        assert text in kept["log_fronts.svg"]
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["trials"] == {"log": 120}
    assert {"best", "unusable"} <= {finding["name"] for finding in document["findings"]}
    assert set(tmp_path.iterdir()) == {log, tmp_path / "pictures", tmp_path / "result.json"}
