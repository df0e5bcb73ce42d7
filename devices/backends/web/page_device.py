"""The device ``page``: onnxruntime-web in a browser in which a person opened what ``latseg serve`` shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from devices.backends.web.gate import Greeting, ServedPage
from devices.backends.web.installation import VERSION
from devices.backends.web.orders import PageDescription
from devices.device import Candidate
from devices.device_info import DeviceInfo
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.target import Availability
from devices.worker.device import ProcessDevice
from devices.worker.group import Result
from foundation.plugin_options import PluginOptions

PAGE_NAME = "[a-z0-9][a-z0-9-]{0,31}"
_TICKS = 200
"""Steps of the clock in a block: reading it wrong by one is half a percent."""
_FINE_MS = 0.01
"""Step of a clock by which kernels can be timed."""
_MOST_PROFILES = 10
"""Times as many runs under the profiler where the steps are longer: their mean is finer than a step."""
_AGAIN = "open it again in the former one, or repeat the command"
_MORE = "open it through `adb reverse`, or give `latseg serve` a certificate"


class PageDevice(ProcessDevice):
    """onnxruntime-web (WebAssembly), float32, in any browser, with a fixed number of threads (one by default).

    ``page:phone`` is the page that ``latseg serve phone`` shows; ``page`` is that of ``latseg serve``. An object stands
    for the browser in which the page was open when ``info`` or ``measure`` was called first.
    """

    package = "onnxruntime-web"
    computes_in_worker = False
    start_s = 300.0
    """Time to open a page again that was closed while it measured."""

    class Options(PluginOptions):
        """Name of the page, and number of threads."""

        bare: ClassVar[str] = "name"
        name: str = Field(default="", pattern=f"^({PAGE_NAME})?$")
        threads: int = Field(default=1, ge=1, le=4096)

    def __init__(self, *, name: str = "", threads: int = 1) -> None:
        super().__init__(threads=threads)
        self._page = name
        self.name = f"page:{name}" if name else "page"
        self.runtime = f"devices.backends.web.page_runtime:ServedRuntime:{name}"
        self._browser: PageDescription | None = None

    @property
    @override
    def machine(self) -> str:
        """That of the browser, which is most often another one."""
        return self.name

    @override
    def availability(self) -> Availability:
        command = f"latseg serve {self._page}".strip()
        greeting = self._greeting()
        if not greeting.address:
            return Availability(False, "`latseg serve` does not show this page", f"run `{command}`, open its address")
        if greeting.description is None or not greeting.is_present:
            return Availability(False, "the page is not open", f"open {greeting.address}")
        if self._browser and self._browser.identity != greeting.description.identity:
            now, before = greeting.description.browser, self._browser.browser
            return Availability(False, f"the page was opened in another browser ({now}, before {before})", _AGAIN)
        if greeting.description.threads < self.threads:
            return Availability(False, f"threads of the page: at most {greeting.description.threads}", _MORE)
        return Availability(True)

    @override
    def info(self) -> DeviceInfo:
        known = self._opened()
        return DeviceInfo(
            name=self.name,
            hardware=known.hardware,
            runtime=self.package,
            runtime_version=VERSION,
            threads=self.threads,
            precision="float32",
            protocol_version=PROTOCOL_VERSION,
            settings=(("browser", known.browser), ("isolated", "yes" if known.isolated else "no")),
        )

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Result]:
        self.require_available()
        clock_ms = self._opened().clock_ms
        block_ms = max(protocol.block_ms, _TICKS * clock_ms)
        more = min(_MOST_PROFILES, math.ceil(clock_ms / _FINE_MS))
        protocol = replace(protocol, block_ms=block_ms, profile_runs=protocol.profile_runs * more)
        return super().measure(candidates, nominal_reference_ms=nominal_reference_ms, protocol=protocol, seed=seed)

    def _opened(self) -> PageDescription:
        """Of the browser that opened the page last; workers of this object accept no other one from now on."""
        known = self._greeting().description
        if known is None or (self._browser and self._browser.identity != known.identity):
            self.require_available()
            return self._opened()  # it was opened just now
        if self._browser is None:
            self._browser = known
            self.runtime += f":{known.identity}"
        return known

    def _greeting(self) -> Greeting:
        """What the process that serves pages tells of this one; empty where there is none."""
        try:
            page = ServedPage(self._page)
        except (OSError, EOFError):
            return Greeting()
        page.close()
        return page.greeting
