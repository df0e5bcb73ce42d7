"""The device ``web`` in a real browser; the operator times of a graph also without one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from devices.backends.web.browser import Browser, browser_version, find_browser
from devices.backends.web.device import WebDevice
from devices.backends.web.installation import WebPackages
from devices.backends.web.page_link import PageLink
from devices.backends.web.profile import optimised, profile_of
from devices.backends.web.runtime import PageRuntime, open_browser
from devices.backends.web.server import PageServer
from devices.device import Candidate, Device
from devices.measurement import Measurement
from devices.model_inputs import ModelInput
from devices.reference_net import REFERENCE_NET
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, ModelFailedError, ModelFile, RuntimeLostError
from latseg.testing.device_contract import FAST, NOMINAL_MS
from latseg.testing.nets import mobile_net, saved, small_net
from tests.devices.backends.web.browser_contract import BrowserContract

needs_web = pytest.mark.skipif(not WebDevice().availability().available, reason="the runtime or a browser is missing")


def test_times_are_joined_by_position(tmp_path: Path) -> None:
    model = optimised(saved(mobile_net(), tmp_path / "mobile.onnx"))
    names = [node.name for node in onnx.load_from_string(model.content).graph.node]
    assert names == [str(position) for position in range(len(model.graph.node))]
    times = dict.fromkeys(names, (900.0,) * PROFILE_WARM_UP_RUNS + (10.0, 20.0, 30.0, 20.0))
    profile = profile_of(model, {"image": np.zeros((1, 3, 64, 64), np.float32)}, times)
    assert sum(row.ms for row in profile.operators) == pytest.approx(0.02 * len(names))
    made = [name for row in profile.operators for name in row.outputs]
    assert set(made) <= set(TensorGraph(mobile_net().graph).producers)
    assert "logits" in made
    assert profile.operators[-1].output_shape == (1, 2, 64, 64)
    assert sum(node.op_type == "FusedConv" and len(node.input) == 4 for node in model.graph.node) == 3, "residuals"
    assert all("nchwc" not in node.domain for node in model.graph.node)
    assert profile_of(model, {}, {}).operators[0].ms == 0.0


def test_a_coarse_clock_tells_by_its_mean(tmp_path: Path) -> None:
    """A kernel of 20 us by a clock with steps of 100 us takes no time in four of five runs."""
    model = optimised(saved(small_net(), tmp_path / "small.onnx"))
    for steps, expected_ms in (((0.0, 0.0, 0.0, 0.0, 100.0), 0.02), ((10.0, 10.0, 10.0, 10.0, 900.0), 0.01)):
        profile = profile_of(model, {}, {"0": (0.0,) * PROFILE_WARM_UP_RUNS + steps})
        assert profile.operators[0].ms == pytest.approx(expected_ms)


def test_what_is_missing_names_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path))
    assert WebDevice().availability().remedy == "latseg install web"
    monkeypatch.setattr(WebPackages, "is_installed", lambda _: True)
    monkeypatch.setenv("PATH", "")
    assert "chromium" in WebDevice().availability().remedy
    assert find_browser() is None


def test_the_version_of_a_browser_is_its_main_one(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho Google Chrome 150.0.7871.100 built on Debian\n")
    program.chmod(0o755)
    assert browser_version(str(program)) == "Google Chrome 150"


def test_a_browser_that_ends_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho no display >&2\necho >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TimeoutError, match="did not open the page: no display"):
        open_browser("http://127.0.0.1", PageLink())


@needs_web
@pytest.mark.targets
class TestWeb(BrowserContract):
    construct = "from devices.registry import get_device; get_device('web')"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return WebDevice()


@needs_web
@pytest.mark.targets
def test_nothing_is_left_of_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = Candidate("net", saved(small_net(), tmp_path / "small.onnx"))
    with TemporaryDirectory() as place:  # the system limits the length of Chromium's socket, too short for tmp_path
        monkeypatch.setattr("tempfile.tempdir", place)
        (result,) = WebDevice().measure([candidate], nominal_reference_ms=NOMINAL_MS, protocol=FAST)
        assert isinstance(result, Measurement)
        assert list(Path(place).iterdir()) == []


@pytest.fixture
def server() -> Iterator[PageServer]:
    made = PageServer(("web",), WebPackages().files)
    yield made
    made.close()


@pytest.fixture
def page(server: PageServer) -> Iterator[tuple[PageLink, Browser]]:
    link = server.pages["web"]
    shown = open_browser(server.address("web"), link)
    yield link, shown
    shown.close()


@needs_web
@pytest.mark.targets
class TestPageInABrowser:
    def test_it_is_isolated_with_a_fine_clock(self, page: tuple[PageLink, Browser]) -> None:
        description = page[0].description
        assert description is not None
        assert description.isolated
        assert description.clock_ms < 0.05
        assert browser_version(find_browser() or "").rpartition(" ")[2] in description.browser

    def test_as_many_threads_as_it_is_given(self, page: tuple[PageLink, Browser]) -> None:
        link, shown = page
        given = []
        for threads in (1, 2):
            before = set(shown.engine_threads())
            session = link.open_session()
            file = ModelFile(REFERENCE_NET, REFERENCE_NET, (ModelInput("image", (1, 3, 192, 192), "float32"),))
            model = PageRuntime(session.ask, threads).load(file)
            model.time_block(3)
            given.append(len(set(shown.engine_threads()) - before))
            session.end()
        assert given == [1, 2]

    def test_every_type_of_numbers(self, page: tuple[PageLink, Browser], tmp_path: Path) -> None:
        model = PageRuntime(page[0].open_session().ask, 1).load_for_inference(saved(casts(), tmp_path / "casts.onnx"))
        feeds = {"image": np.array([[0.0, 1.0, -2.0, 3.0]], np.float32), "whole": np.array([[1, -2]], np.int64)}
        outputs = model.infer(feeds)
        assert [each.dtype.name for each in outputs] == list(TYPES)
        for each, dtype in zip(outputs, TYPES, strict=True):
            np.testing.assert_array_equal(each, np.abs(feeds["image"]).astype(dtype))
        with pytest.raises(ModelFailedError, match="double"):
            model.infer({**feeds, "whole": np.array([[1.0, 2.0]])})

    def test_a_browser_that_is_killed_is_lost(self, page: tuple[PageLink, Browser]) -> None:
        link, shown = page
        session = link.open_session()
        runtime = PageRuntime(session.ask, 1)
        shown.close()
        with pytest.raises(RuntimeLostError):
            runtime.load_for_inference(REFERENCE_NET)

    def test_it_ends_with_the_process_that_started_it(self, server: PageServer, tmp_path: Path) -> None:
        code = "import sys, time; from devices.backends.web.browser import Browser, find_browser; " + (
            "browser = Browser(find_browser(), sys.argv[1]); print(browser._process.pid, flush=True); time.sleep(100)"
        )
        with subprocess.Popen([sys.executable, "-c", code, server.address("web")], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            pid = int(other.stdout.readline())
            assert server.pages["web"].wait_until_present(60.0)
            other.kill()
        end = time.monotonic() + 30.0
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert not Path(f"/proc/{pid}").exists()


TYPES = {
    "float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL, "int8": TensorProto.INT8, "int16": TensorProto.INT16, "int32": TensorProto.INT32,
    "int64": TensorProto.INT64, "uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64,
}  # fmt: skip


def casts() -> onnx.ModelProto:
    """The absolute values of its input in every type of numbers; a second input that only a sum reads."""
    nodes = [helper.make_node("Abs", ["image"], ["absolute"])]
    nodes += [helper.make_node("Cast", ["absolute"], [name], to=number) for name, number in TYPES.items()]
    graph = helper.make_graph(
        nodes,
        "casts",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4]),
            helper.make_tensor_value_info("whole", TensorProto.INT64, [1, 2]),
        ],
        [helper.make_tensor_value_info(name, number, [1, 4]) for name, number in TYPES.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
