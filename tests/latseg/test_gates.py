"""Exit codes for continuous integration: ``verify MODEL.onnx --max-latency`` and ``compare --fail-over``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices.backends.simulated.device import SimulatedDevice
from export.bundle.check import Check
from export.bundle.decision import Budget, MeasureAgain, OtherLoad
from latseg.confirmed_comparison import confirmed_comparison
from latseg.results import ComparedModel, Comparison
from latseg.table import Table
from latseg.testing.nets import mobile_net, saved, small_net
from tests.latseg import command_line


def say(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    return command_line.say(capsys, *map(str, words))


def document(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, Any]:
    code, out, err = say(capsys, *words, "--json", "--quiet")
    assert out, err
    return code, json.loads(out)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(small_net(), tmp_path_factory.mktemp("models") / "small.onnx")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(mobile_net(), tmp_path_factory.mktemp("models") / "large.onnx")


def comparison(a: tuple[float, float], b: tuple[float, float]) -> Comparison:
    models = [ComparedModel(Path("x.onnx"), sum(each) / 2, Table([]), each) for each in (a, b)]
    return Comparison(models[0], models[1], False, SimulatedDevice().info(), Table([]), "")


@pytest.mark.parametrize(
    ("a", "b", "slower"),
    [
        ((1.00, 1.02), (1.08, 1.10), True),
        ((1.00, 1.02), (1.00, 1.02), False),
        ((1.00, 1.02), (0.50, 0.52), False),
        ((1.00, 1.02), (1.06, 1.08), None),
        ((1.00, 1.10), (1.00, 1.10), None),
    ],
)
def test_both_intervals_decide(a: tuple[float, float], b: tuple[float, float], slower: bool | None) -> None:
    assert comparison(a, b).slower_by_over(5.0) is slower


def test_predicted_latencies_have_no_interval() -> None:
    found = comparison((1.0, 1.0), (1.1, 1.1))
    found = replace(found, a=replace(found.a, interval_ms=None), b=replace(found.b, interval_ms=None))
    assert found.slower_by_over(5.0) is True
    assert found.slower_by_over(15.0) is False


@pytest.mark.parametrize(
    ("ratios", "kept"),
    [
        ([1.00], 0),
        ([1.15, 1.00, 1.01, 0.99], 1),
        ([1.15, 1.20, 1.00, 1.16], 3),
        ([1.05, 1.05, 1.20, 1.04], 1),
    ],
)
def test_a_slower_file_is_compared_again(ratios: list[float], kept: int) -> None:
    """One comparison where it is fast enough, else the middle one of three more."""
    made = [comparison((1.00, 1.01), (ratio, 1.01 * ratio)) for ratio in ratios]
    attempts: list[int] = []

    def compare(attempt: int) -> Comparison:
        attempts.append(attempt)
        return made[attempt]

    assert confirmed_comparison(compare, 5.0) is made[kept]
    assert attempts == list(range(len(ratios)))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.other_load.other_load", lambda: 0.0)


@pytest.mark.usefixtures("quiet")
def test_compare_fails_where_the_second_is_slower(
    capsys: pytest.CaptureFixture[str], cpu_workspace: Path, small: Path, large: Path
) -> None:
    words = ("--workspace", cpu_workspace, "compare")
    code, found = document(capsys, *words, small, large, "--fail-over", "5%")
    assert (code, found["slower"], found["fail_over_percent"]) == (4, True, 5.0)
    code, found = document(capsys, *words, large, small, "--fail-over", "5%")
    assert (code, found["slower"]) == (0, False)
    code, found = document(capsys, *words, small, large)
    assert code == 0
    assert "slower" not in found


@pytest.mark.usefixtures("quiet")
def test_only_a_limit_compares_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time with another seed; predictions stay what they are."""
    from latseg.device_handle import DeviceHandle

    seen: list[tuple[int, bool]] = []

    def compare(self: DeviceHandle, *files: Path, predicted: bool, seed: int, **more: Any) -> Comparison:
        seen.append((seed, predicted))
        return comparison((1.00, 1.01), (1.20, 1.21))

    monkeypatch.setattr(DeviceHandle, "compare", compare)
    words = ("--workspace", tmp_path, "compare", small, small, "--seed", "7", "-d", "cpu")
    assert document(capsys, *words)[0] == 0
    assert document(capsys, *words, "--fail-over", "5%", "--predicted")[0] == 4
    assert seen == [(7, False), (7, True)]
    assert document(capsys, *words, "--fail-over", "5%")[0] == 4
    assert seen[2:] == [(7, False), (8, False), (9, False), (10, False)]


@pytest.mark.usefixtures("quiet")
def test_compare_says_where_it_cannot_be_told(
    capsys: pytest.CaptureFixture[str], cpu_workspace: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Comparison, "slower_by_over", lambda self, percent: None)
    code, out, _ = say(capsys, "--workspace", cpu_workspace, "compare", small, small, "--fail-over", "5%")
    assert code == 6
    assert "do not tell whether B takes over 5 % longer" in " ".join(out.split())


@pytest.mark.parametrize("moment", [0, 1])
def test_compare_decides_nothing_on_a_busy_machine(
    capsys: pytest.CaptureFixture[str], cpu_workspace: Path, small: Path, large: Path, moment: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Before the measurement, or after it."""
    # Each comparison looks for a warning, and the slower file is compared four times.
    loads = iter([1.0, 0.0] if moment == 0 else [*[0.0] * 5, 1.0])
    monkeypatch.setattr("devices.other_load.other_load", lambda: next(loads))
    code, found = document(capsys, "--workspace", cpu_workspace, "compare", small, large, "--fail-over", "5%")
    assert (code, found["slower"]) == (6, None)


def test_a_simulated_device_fails_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path, small: Path) -> None:
    words = ("--workspace", tmp_path, "compare", "-d", "simulated", small, small)
    code, _, err = say(capsys, *words, "--fail-over", "5%")
    assert code == 2
    assert "--fail-over: got a simulated device" in err


@pytest.mark.parametrize("text", ["5", "-5%", "five%", "5ms"])
def test_a_percentage_has_its_sign(capsys: pytest.CaptureFixture[str], small: Path, text: str) -> None:
    code, _, err = say(capsys, "compare", small, small, f"--fail-over={text}")
    assert code == 2
    assert f"--fail-over: got '{text}'; expected a positive percentage" in err


@pytest.mark.slow
def test_a_file_keeps_its_budget_or_not(capsys: pytest.CaptureFixture[str], cpu_workspace: Path, small: Path) -> None:
    words = ("--workspace", cpu_workspace, "verify", small, "--max-latency")
    code, found = document(capsys, *words, "10s")
    assert (code, found["ok"]) == (0, True)
    (check,) = found["checks"]
    assert check["name"] == "budget on cpu"
    assert "against a budget of 10000 ms" in check["detail"]
    assert "certified" not in check["detail"]
    code, found = document(capsys, *words, "0.1us")
    assert (code, found["ok"], found["undecided"]) in {(4, False, False), (6, False, True)}


def test_a_simulated_device_proves_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path, small: Path) -> None:
    words = ("--workspace", tmp_path, "verify", small, "--max-latency", "10s", "-d", "simulated")
    code, found = document(capsys, *words)
    assert code == 4
    assert "certifies nothing" in found["checks"][0]["detail"]


@pytest.mark.slow
def test_every_option_reaches_the_measurement(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def decide(name: str, budget: Budget, measure: MeasureAgain, other_load: OtherLoad, *, wait_s: float) -> Check:
        result = measure(2)
        seen.update(name=name, ms=budget.ms, wait_s=wait_s, shapes=result.input_shapes, threads=result.device.threads)
        return Check(name, result.model_sha256 == budget.model_sha256, "")

    def measured(self: Any, path: Path, *, seed: int, **more: Any) -> Any:
        seen["seed"] = seed
        return real(self, path, seed=seed, **more)

    from latseg.device_handle import DeviceHandle

    real = DeviceHandle.measure
    monkeypatch.setattr("export.bundle.decision.decide", decide)
    monkeypatch.setattr(DeviceHandle, "measure", measured)
    monkeypatch.setattr("devices.device.PROCESSES", 1)  # how exactly it is measured does not matter here
    dynamic = saved(small_net(size="side"), tmp_path / "dynamic.onnx")
    code, _, _ = say(
        capsys,
        *("--workspace", tmp_path, "verify", dynamic, "--max-latency", "900us", "--shape", "image=1x3x24x24"),
        *("--device", "cpu", "--threads", "2", "--seed", "5", "--wait", "3"),
    )
    assert code == 0
    assert seen == {
        "name": "budget on cpu", "ms": 0.9, "wait_s": 3.0, "shapes": ((1, 3, 24, 24),), "threads": 2, "seed": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "--max-latency: got none"),
        (("--max-latency", "8"), "--max-latency: got '8'"),
        (("--max-latency", "8ms", "--no-measure"), "--no-measure: got --no-measure with a file"),
        (("--max-latency", "8ms", "--signer", "x/y"), "--signer: got --signer with a file"),
    ],
)
def test_options_that_a_file_does_not_take(
    capsys: pytest.CaptureFixture[str], small: Path, words: tuple[str, ...], text: str
) -> None:
    code, _, err = say(capsys, "verify", small, *words)
    assert code == 2
    assert text in err


def test_a_file_that_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = say(capsys, "verify", tmp_path / "gone.onnx", "--max-latency", "8ms")
    assert code == 2
    assert "gone.onnx" in err
    assert "does not exist" in err


@pytest.mark.parametrize("words", [("--max-latency", "8ms"), ("--shape", "x=1x3x8x8"), ("--input", "x=1")])
def test_options_that_a_bundle_does_not_take(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, _, err = say(capsys, "verify", tmp_path, *words)
    assert code == 2
    assert f"{words[0]}: got {words[0]} with a bundle" in err
