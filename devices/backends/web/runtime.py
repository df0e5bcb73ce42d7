"""onnxruntime-web in a page, inside the worker process: each step is an order to the page."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from devices.backends.web.browser import Browser, find_browser
from devices.backends.web.installation import WebPackages
from devices.backends.web.orders import AnswerHeader, decode_answer, encode_order
from devices.backends.web.page_link import PageLink
from devices.backends.web.profile import optimised, profile_of
from devices.backends.web.server import PageServer
from devices.model_inputs import data_inputs, random_inputs
from devices.profiled_model import load_named
from devices.worker.run_queue import RunQueue
from devices.worker.runtime import (
    PROFILE_WARM_UP_RUNS,
    Array,
    BlockTime,
    InferenceModel,
    LoadedModel,
    ModelFile,
    OperatorProfile,
    Runtime,
    numbers,
)

_START_S = 50.0
"""Time that a browser may take to open the page on a busy machine."""
_LOOK_S = 0.5
FOR_INFERENCE = 0
"""Number of the model that is used and not timed."""
Ask = Callable[[bytes], bytes]
"""Gives an order to the page and waits for the answer."""


class PageRuntime(Runtime):
    """Loads models into a session of a page.

    Args:
        ask: the session.
        threads: of the runtime.
    """

    def __init__(self, ask: Ask, threads: int) -> None:
        self._ask = ask
        self._numbers = itertools.count(FOR_INFERENCE + 1)
        _answer(ask, encode_order("start", threads=threads))

    @property
    def model(self) -> type[PageModel]:
        """The class of the models that are timed."""
        return PageModel

    def visible_threads(self) -> Iterable[Path]:
        """Folders of the threads in which the page runs models; none where it is on another machine."""
        return ()

    @override
    def load(self, file: ModelFile) -> PageModel:
        model = self.model(self._ask, next(self._numbers), file)
        model.threads = tuple(self.visible_threads())
        return model

    @override
    def load_for_inference(self, path: Path) -> InferenceModel:
        return PageInferenceModel(self._ask, path)


class WebRuntime(PageRuntime):
    """In a headless browser of its own."""

    def __init__(self, threads: int) -> None:
        self._server = self.served()
        page = self._server.pages[""]
        self._browser = open_browser(self._server.address(""), page)
        super().__init__(page.open_session().ask, threads)

    def served(self) -> PageServer:
        """The server of the page."""
        return PageServer(("",), WebPackages().files)

    @override
    def visible_threads(self) -> Iterable[Path]:
        return self._browser.engine_threads()


def open_browser(address: str, page: PageLink) -> Browser:
    """A browser that shows the page.

    Raises:
        TimeoutError: it ended, or did not open the page in time.
    """
    path = find_browser()
    assert path is not None
    browser, end = Browser(path, address), time.monotonic() + _START_S
    while not page.wait_until_present(_LOOK_S):
        if (reason := browser.ending()) or time.monotonic() > end:
            browser.close()
            raise TimeoutError(f"the browser did not open the page: {reason or 'it is still starting'}")
    return browser


class PageModel(LoadedModel):
    """A model in the page with fixed random inputs."""

    threads: Sequence[Path] = ()
    """Folders of the threads whose processor and waiting time is known."""

    def __init__(self, ask: Ask, number: int, file: ModelFile) -> None:
        self._ask = ask
        self._number = number
        self._file = file
        self._feeds = random_inputs(file.inputs)
        self.load_ms = _answer(ask, encode_order("load", self._feeds, self.content(file.path), model=number)).ms

    def content(self, path: Path) -> bytes:
        """What the page loads."""
        return load_named(path)[1]

    @override
    def time_block(self, runs: int) -> BlockTime:
        with RunQueue(self.threads) as queue:
            _, waited_before = queue.snapshot()
            ran_before = queue.ran_ns()
            wall_ms = _answer(self._ask, encode_order("block", model=self._number, runs=runs)).ms
            cpu_ms = (queue.ran_ns() - ran_before) / 1e6
            _, waited_after = queue.snapshot()
        # Waiting for the order is among it, but a run on the core takes no less than its processor time.
        # Several threads wait side by side.
        waited_ms = (waited_after - waited_before) / 1e6 if len(self.threads) == 1 else 0.0
        return BlockTime(runs, wall_ms, cpu_ms, max(0.0, min(waited_ms, wall_ms - cpu_ms)))

    @override
    def profile(self, runs: int) -> OperatorProfile:
        model = optimised(self._file.onnx)
        order = encode_order("profile", self._feeds, model.content, runs=PROFILE_WARM_UP_RUNS + runs)
        return profile_of(model, self._feeds, _answer(self._ask, order).microseconds)


class PageInferenceModel(InferenceModel):
    """A model in the page with its inputs as the file declares them; it takes the place of the previous one."""

    def __init__(self, ask: Ask, path: Path) -> None:
        self._ask = ask
        model, content = load_named(path)
        self.inputs = tuple(
            (value.name, tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim))
            for value in data_inputs(model.graph)
        )
        _answer(ask, encode_order("load", model=FOR_INFERENCE, content=content))

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        _, arrays = decode_answer(self._ask(encode_order("infer", feeds, model=FOR_INFERENCE)))
        return numbers(arrays)


def _answer(ask: Ask, order: bytes) -> AnswerHeader:
    return decode_answer(ask(order))[0]
