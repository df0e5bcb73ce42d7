"""The command line: help, errors in one line with their exit codes, JSON, and a run on the simulated device."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from PIL import Image

from latency.predictors.folder import read_checked, write_json
from latseg.commands import COMMANDS
from tests.latseg.command_line import document, say
from tests.latseg.conftest import DEVICE


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from latseg import cli; cli.run(['--help']);"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'numpy', 'sklearn', 'pydantic', 'plotly'} & set(sys.modules);"
        "sys.stderr.write(' '.join(heavy)); sys.exit(1 if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all(name.split()[0] in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_and_takes_a_seed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, *name.split(), "--help")
    assert code == 0
    assert "--seed" in out


def test_devices_and_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    listed = document(capsys, "devices")
    assert {"name", "available", "reason", "runtime", "version"} <= set(listed[0])
    assert {"devices", "warnings"} <= set(document(capsys, "doctor"))
    for command in ("devices", "doctor"):
        assert "ssh://[USER@]HOST[:PORT]/DEVICE" in say(capsys, command)[1]


def test_describe(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = document(capsys, "describe", "--random", "3")
    assert len(rows) == 3
    keys = {"architecture", "parameters", "decoder_parameters", "flops", "operators", "predicted_ms"}
    assert keys <= set(rows[0])
    listed = tmp_path / "architectures.txt"
    listed.write_text("\n".join(json.dumps(row["architecture"]) for row in rows))
    again = document(capsys, "describe", "--from", str(listed))
    assert [row["parameters"] for row in again] == [row["parameters"] for row in rows]


@pytest.mark.parametrize("space", [(), ("--space", "portrait:sizes=128x128")])
def test_describe_without_resize(capsys: pytest.CaptureFixture[str], space: tuple[str, ...]) -> None:
    free, others = (
        [row["resizes"] for row in document(capsys, "describe", "--random", "20", *space, *flag)]
        for flag in (("--no-resize",), ())
    )
    assert set(free) == {0}
    assert 0 in others
    assert max(others) > 1
    _, out, _ = say(capsys, "describe", "--random", "1", *space, "--no-resize")
    assert "no_resize=true" in out


def test_compare(capsys: pytest.CaptureFixture[str], workspace: Path, model: Path, tmp_path: Path) -> None:
    shared = ("--workspace", str(workspace))
    other = tmp_path / "another" / model.name
    other.parent.mkdir()
    wider = onnx.load(model)
    wider.graph.node.append(onnx.helper.make_node("Relu", [wider.graph.output[0].name], ["more"]))
    wider.graph.output[0].name = "more"
    onnx.save(wider, other)
    found = document(capsys, *shared, "compare", str(model), str(other), "-d", DEVICE)
    assert found["simulated"] is True
    assert sum(row["ms_a"] for row in found["operators"]) == pytest.approx(found["a"]["latency_ms"], rel=1e-3)
    assert sum(row["difference_ms"] for row in found["operators"]) == pytest.approx(found["difference_ms"], abs=1e-3)
    assert sum(row["count_b"] - row["count_a"] for row in found["operators"]) in (0, 1), "fused, or one more"
    same = document(capsys, *shared, "compare", str(model), str(model), "-d", DEVICE, "--predicted")
    assert sum(row["ms_a"] for row in same["operators"]) == pytest.approx(same["a"]["latency_ms"], rel=1e-3)
    assert same["difference_ms"] == 0
    assert {row["difference_ms"] for row in same["operators"]} == {0}
    _one_line(capsys, 2, *shared, "compare", str(model), str(tmp_path / "missing.onnx"), "-d", DEVICE)


@pytest.mark.slow
def test_pretrain_makes_few_measurements_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from latency.predictors.transfer import prior
    from latency.predictors.transfer.in_context_training import InContextSettings

    short = {"seed": 0, "steps": 20, "in_context": InContextSettings(width=8, steps=5)}
    monkeypatch.setattr(prior.Prior.learn, "__kwdefaults__", short)
    monkeypatch.setattr("latency.predictors.transfer.source_tasks._TASKS", 30)
    shared = ("--workspace", str(tmp_path))
    words = ("--size", "128x128")
    assert "40 measured nets" in _one_line(capsys, 2, *shared, "pretrain")
    monkeypatch.setattr(prior, "MIN_NETS", 20)  # how good the prior is does not matter here
    for seed in (1, 2):
        document(capsys, *shared, "profile", "-d", f"simulated:drift=0.1,seed={seed}", *words, "--models", "20")
        if seed == 1:
            assert "two families" in _one_line(capsys, 2, *shared, "pretrain")
    missing = tmp_path / "misspelt"
    assert f"no measurements.sqlite in {missing}" in _one_line(
        capsys, 2, *shared, "pretrain", "--workspace-of", str(missing)
    )
    assert not missing.exists()
    told = document(capsys, *shared, "pretrain", "--workspace-of", str(tmp_path))
    assert [row["nets"] for row in told["devices"]] == [20, 20], "a device of two workspaces is one device"
    few = document(capsys, *shared, "profile", "-d", DEVICE, *words, "--models", "12")
    _, out, _ = say(capsys, *shared, "profile", "-d", DEVICE, *words, "--models", "12", "--threads", "1", "--quiet")
    assert out.splitlines()[-1].endswith(f" fit --device {DEVICE} --threads 1")
    assert (few["models"], few["operators"]) == (12, 0)
    fitted = document(capsys, *shared, "fit", "-d", DEVICE)
    assert "few_samples" in fitted["predictors"]
    assert fitted["calibration_nets"] == 12
    split = document(capsys, *shared, "fit", "-d", DEVICE, "--split")
    assert split["calibration_nets"] == split["test_models"] < 12
    assert document(capsys, *shared, "describe", "--random", "2", "-d", DEVICE)[0]["predicted_ms"] > 0


def test_feasibility(capsys: pytest.CaptureFixture[str], workspace: Path) -> None:
    words = ("--workspace", str(workspace), "feasibility", "-d", DEVICE, "--size", "128x128", "--samples", "100")
    found = document(capsys, *words, "--max-latency", "4ms")
    assert {"feasible_fraction", "smallest", "largest"} <= set(found)
    assert 0 < found["feasible_fraction"] < 1
    code, _, err = say(capsys, *words, "--max-latency", "1us")
    assert code == 3
    assert "smallest reachable" in err


@pytest.mark.slow
def test_a_search_on_the_simulated_device_certifies_nothing_and_can_be_resumed(
    capsys: pytest.CaptureFixture[str], workspace: Path, tmp_path: Path
) -> None:
    shared = ("--workspace", str(workspace))
    effort = (
        *("--trials", "6", "--teacher-epochs", "0", "--supernet-steps", "2", "--winner-epochs", "1"),
        *("--training-threads", "1", "--scene-steps", "0", "--evaluator", "supernet"),
    )
    data = ("--data", "synthetic:12", "--data-size", "64x64", "--evaluation-images", "2", "--batch-size", "2")
    limits = ("-d", DEVICE, "--max-latency", "2ms", "--size", "128x128")
    found = document(capsys, *shared, "search", *limits, *data, *effort)
    assert {"run", "trials", "rejected", "winners", "warnings"} <= set(found)
    (near,) = found["near_budget"]
    assert {"device", "nets", "factor_before", "factor_after", "statement"} <= set(near)
    assert (near["device"], near["nets"]) == (DEVICE, 10)
    assert found["winners"]
    assert not any(winner["certified"] for winner in found["winners"])
    again = document(capsys, *shared, "search", "--resume", found["run"])
    assert [w["id"] for w in again["winners"]] == [w["id"] for w in found["winners"]]
    assert again["near_budget"] == found["near_budget"]
    _, _, err = say(capsys, *shared, "search", "--resume", found["run"], "--training-device", "cuda:99")
    assert "training device cuda:99: got " in err
    err = _one_line(capsys, 2, *shared, "search", "--resume", found["run"], "--max-params", "0.2M")
    assert "--max-params with --resume" in err
    winner = found["winners"][0]["id"]
    _, out, _ = say(capsys, *shared, "search", "--resume", found["run"], "--quiet")
    line = f"latseg --workspace {workspace} train {found['run']} --winner {winner}"
    assert line in out.splitlines()[-1], "a command to be pasted is on one line, however narrow the terminal"
    trained = document(capsys, *shared, "train", found["run"], "--winner", winner)
    assert {"quality", "epochs", "checkpoint"} <= set(trained)
    _, out, _ = say(capsys, *shared, "train", found["run"], "--winner", winner, "--quiet")
    assert out.splitlines()[-1] == "Continue with: " + line.replace(" train ", " export ")
    assert [out.count(score) for score in ("mean_iou", "mean_f1")] == [1, 1]
    code, out, _ = say(capsys, *shared, "--json", "--quiet", "export", found["run"], "-w", winner, "-f", "onnx")
    assert code == 4, "a simulated device proves nothing"
    exported = json.loads(out)
    assert exported["files"][0]["parity_mask_iou"] > 0.99
    sign, signer = _signing(tmp_path)
    manifest = Path(exported["bundle"], "manifest.json")
    plain = json.loads(manifest.read_text())
    say(capsys, *shared, "export", found["run"], "-w", winner, "-f", "onnx", "-d", DEVICE, "--max-latency", "3ms")
    other = json.loads(manifest.read_text())
    assert plain["reproduce"].endswith(f" export RUN --winner {winner}")
    assert other["reproduce"].endswith(f" export RUN --winner {winner} --device {DEVICE} --max-latency 3ms --threads 1")
    _, out, _ = say(capsys, *shared, "export", found["run"], "-w", winner, "-f", "onnx", "--quiet", *sign)
    assert out.splitlines()[-1] == f"Continue with: latseg verify {exported['bundle']}"
    page = Path(document(capsys, *shared, "report", found["run"])["path"]).read_text()
    assert "SIMULATED" in page
    assert "its bound held for " in page, "coverage"
    assert "times the measured latency on average" in page, "slack"
    assert "bound calibrated on " in page
    bound = found["winners"][0]["upper_ms"][DEVICE]
    assert f"(bound {bound:.3f} ms)" in page, "the one that the search accepted the winner by"
    assert "fitted again" not in page
    later = tmp_path / "later"
    shutil.copytree(workspace, later)
    (kept,) = later.glob("predictors/*/bounded.json")
    fitted = read_checked(kept)
    fitted["calibration"]["ratios"] = [2.0] * 40
    write_json(kept, fitted)
    page = Path(document(capsys, "--workspace", str(later), "report", found["run"])["path"]).read_text()
    assert "It was fitted again since this search" in page
    assert f"(bound {bound:.3f} ms)" in page
    assert f"Before this search: {near['statement']}" in page
    unmeasured = document(capsys, *shared, "search", *limits, *data, *effort, "--near-budget", "0")
    assert unmeasured["near_budget"] == []
    _one_line(capsys, 2, *shared, "search", *limits, *data, "--near-budget", "-1")
    assert "http" not in page.replace("http://www.w3.org", "").split("<script>", maxsplit=1)[0]
    code, out, _ = say(capsys, *shared, "--json", "verify", exported["bundle"], "--quiet", *signer)
    assert code == 4
    verified = {check["name"]: check["ok"] for check in json.loads(out)["checks"]}
    assert verified.get("signature", True)
    assert verified["architecture"]
    assert [name for name, ok in verified.items() if not ok] == ["budget without certificate"]
    assert "signer" in _one_line(capsys, 2, *shared, "verify", exported["bundle"], "--signer", "nobody")
    assert "sign" in _one_line(capsys, 2, *shared, "export", found["run"], "-w", winner, "--sign", "nowhere")


def _signing(folder: Path) -> tuple[list[str], list[str]]:
    """Options of ``export`` and of ``verify`` with a new key; none where OpenSSH is not installed."""
    if shutil.which("ssh-keygen") is None:
        return [], []
    key, signers = folder / "key", folder / "allowed_signers"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, capture_output=True)
    signers.write_text(f"me {key.with_suffix('.pub').read_text()}")
    return ["--sign", str(key)], ["--signer", f"me/{signers}"]


BAD_LATENCIES = {"8": "write 8ms", "-3ms": "positive", "0ms": "positive", "8MB": "unit"}


@pytest.mark.parametrize(("text", "hint"), list(BAD_LATENCIES.items()))
def test_bad_budgets(capsys: pytest.CaptureFixture[str], workspace: Path, text: str, hint: str) -> None:
    code, _, err = say(capsys, "--workspace", str(workspace), "feasibility", "-d", DEVICE, f"--max-latency={text}")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert hint in err


def _one_line(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    got, _, err = say(capsys, *words, "--quiet")
    assert got == code, err
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err
    return err


def test_bad_models(capsys: pytest.CaptureFixture[str], workspace: Path, model: Path, tmp_path: Path) -> None:
    shared = ("--workspace", str(workspace))
    truncated, text = tmp_path / "truncated.onnx", tmp_path / "text.onnx"
    truncated.write_bytes(model.read_bytes()[:200])
    text.write_text("not a model")
    for path in (tmp_path / "missing.onnx", truncated, text, tmp_path):
        for command in ("predict", "measure"):
            assert str(path) in _one_line(capsys, 2, *shared, command, str(path), "-d", DEVICE)


def test_a_model_with_an_unknown_operator(capsys: pytest.CaptureFixture[str], workspace: Path, tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    node = helper.make_node("Frobnicate", ["x"], ["y"])
    values = ([info("x", TensorProto.FLOAT, [1, 3, 8, 8])], [info("y", TensorProto.FLOAT, [1, 3, 8, 8])])
    path = tmp_path / "unknown.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", *values)), path)
    err = _one_line(capsys, 2, "--workspace", str(workspace), "measure", str(path), "-d", DEVICE)
    assert "Frobnicate" in err


def test_bad_stores(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "measurements.sqlite").write_bytes(b"no database" * 100)
    _one_line(capsys, 2, "--workspace", str(broken), "profile", "-d", DEVICE)
    newer = tmp_path / "newer"
    newer.mkdir()
    with sqlite3.connect(newer / "measurements.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "99" in _one_line(capsys, 2, "--workspace", str(newer), "profile", "-d", DEVICE)


def test_bad_data(capsys: pytest.CaptureFixture[str], workspace: Path, tmp_path: Path) -> None:
    words = ("--workspace", str(workspace), "search", "-d", DEVICE, "--max-latency", "2ms", "--data")
    empty = tmp_path / "empty"
    empty.mkdir()
    for source in ("nonsense", f"folder:{tmp_path / 'absent'}", f"folder:{empty}", "folder:", "eg1800:x"):
        _one_line(capsys, 2, *words, source)
    for name, mask_size in (("images", (40, 30)), ("masks", (20, 30))):
        (tmp_path / "pairs" / name).mkdir(parents=True)
        for number in range(5):
            mode = "RGB" if name == "images" else "L"
            Image.new(mode, mask_size).save(tmp_path / "pairs" / name / f"{number}.png")
    assert "20" in _one_line(capsys, 2, *words, f"folder:{tmp_path / 'pairs'}")


def test_other_usage_errors(capsys: pytest.CaptureFixture[str], workspace: Path, tmp_path: Path) -> None:
    shared = ("--workspace", str(workspace))
    _one_line(capsys, 2, *shared, "report", "no-such-run")
    _one_line(capsys, 2, *shared, "search", "--resume", "../../etc")
    _one_line(capsys, 2, "--workspace", str(tmp_path / "new"), "fit", "-d", DEVICE)
    words = ("feasibility", "-d", "cpu", "--threads", "2", "--max-latency", "2ms")
    err = _one_line(capsys, 2, "--workspace", str(tmp_path / "new"), *words)
    assert f"`latseg --workspace {tmp_path / 'new'} profile --device cpu --threads 2`" in err
    _one_line(capsys, 2, *shared, "verify", str(tmp_path), "--threads", "2")
    _one_line(capsys, 2, *shared, "feasibility", "-d", DEVICE, "-d", "cpu", "--max-latency", "2ms")
    _one_line(capsys, 2, *shared, "profile", "-d", "abacus")
    _one_line(capsys, 2, *shared, "profile", "--no-such-option")
    _one_line(capsys, 2, *shared, "segment", str(tmp_path), str(tmp_path / "photo.jpg"))
    _one_line(capsys, 2, *shared, "verify", str(tmp_path))


def test_an_unavailable_device_has_its_own_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    words = ("--workspace", str(tmp_path), "profile", "-d", "openvino", "--models", "1", "--operators", "0")
    err = _one_line(capsys, 5, *words)
    assert "latseg[openvino]" in err
    (tmp_path / "manifest.json").write_text("{}")
    _one_line(capsys, 5, "verify", str(tmp_path), "--device", "openvino")


def test_errors_are_json_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = say(capsys, "--json", "predict", str(tmp_path / "missing.onnx"))
    assert code == 2
    assert json.loads(out)["exit_code"] == 2


def test_text_from_outside_is_neither_markup_nor_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    from latseg.console import Console, plain, table

    long = "latseg --workspace /work[v2]/" + "deep/" * 40 + "space train RUN"
    Console().emit(None, lambda: [plain(long), table("run [b]", ("path",), [("a[v3]b",)])])
    out = capsys.readouterr().out
    assert long in out
    assert "run [b]" in out
    assert "a[v3]b" in out


def test_full_disk_interruption_and_surprises(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, workspace: Path
) -> None:
    from latseg.console import Console

    def fail(error: BaseException) -> None:
        def raising(self: Console, *arguments: object) -> None:
            self.resume_hint = "latseg devices"
            raise error

        monkeypatch.setattr(Console, "emit", raising)

    fail(OSError(errno.ENOSPC, "No space left on device"))
    assert "disk full" in _one_line(capsys, 2, "devices")
    fail(KeyboardInterrupt())
    assert "latseg devices" in _one_line(capsys, 130, "devices")
    fail(ValueError("surprise"))
    assert "--debug" in _one_line(capsys, 1, "devices")
