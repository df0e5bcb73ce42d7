from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
from latseg.cli import run
from latseg.input_values import parse_inputs
from tests import odd_models as odd


@pytest.mark.parametrize(
    ("text", "value"),
    [("n=3", 3), ("n=0.5", 0.5), ("n=64,96", [64, 96]), ("a=b=1,2.5", [1, 2.5]), ("n=true", True), ("n=cat", "cat")],
)
def test_values_on_the_command_line(text: str, value: object) -> None:
    ((name, parsed),) = parse_inputs([text]).items()
    assert name == text.rpartition("=")[0]
    assert parsed.tolist() == value


@pytest.mark.parametrize("text", ["n", "=3", "n=", "missing.npz"])
def test_other_forms(text: str) -> None:
    with pytest.raises(UserError, match="--input"):
        parse_inputs([text])


def test_values_from_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "values.npz", ratio=np.array([0.5]), size=np.array([8, 9]))
    values = parse_inputs([str(tmp_path / "values.npz"), "ratio=2"])
    assert {name: value.tolist() for name, value in values.items()} == {"ratio": 2, "size": [8, 9]}


def test_broken_files(tmp_path: Path) -> None:
    path = tmp_path / "values.npz"
    np.savez(path, ratio=np.zeros(1000))
    content = path.read_bytes()
    for broken in (b"", b"text", content[:200], content[:60] + b"\xff" * 40 + content[100:]):
        path.write_bytes(broken)
        with pytest.raises(UserError, match="--input"):
            parse_inputs([str(path)])
    np.savez(path, ratio=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="--input"):
        parse_inputs([str(path)])


def test_a_file_that_unpacks_to_more_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "values.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        for _ in range(513):
            member.write(bytes(2**20))
    with pytest.raises(UserError, match="unpacked"):
        parse_inputs([str(path)])


def test_predict_and_measure_take_values(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(odd.saved(odd.ratio_net(), tmp_path))

    def output(command: str, *words: str) -> dict[str, object]:
        code = run(["--workspace", str(workspace), "--json", command, path, "-d", "simulated:noise=0.02", *words])
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        assert code == 0 or "error" in document
        return document

    small, large = (output("predict", "--input", f"ratio={ratio}")["latency_ms"] for ratio in (0.5, 4))
    assert large > small  # type: ignore[operator]
    assert "--input ratio=VALUE" in str(output("predict")["error"])
    assert output("measure", "--input", "ratio=0.5")["warnings"] == []
    assert "'ratio' decide sizes" in str(output("measure")["warnings"])


def test_profile_takes_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(odd.saved(odd.ratio_net(), tmp_path))
    profile = ("--json", "--quiet", "profile", "-d", "simulated", "--models", "1", "--for", path)
    assert run(["--workspace", str(tmp_path / "w"), *profile]) == 2
    assert "--input ratio=VALUE" in json.loads(capsys.readouterr().out)["error"]
    assert run(["--workspace", str(tmp_path / "w"), *profile, "--input", "ratio=0.5"]) == 0
