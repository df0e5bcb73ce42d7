"""The devices ``openvino`` and ``openvino-bf16``: OpenVINO's CPU plugin on this machine."""

from __future__ import annotations

from typing_extensions import override

from devices.target import Availability
from devices.worker.device import ProcessDevice

_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})
"""As the kernel names what the processor can."""


class OpenVinoDevice(ProcessDevice):
    """OpenVINO, float32, with a fixed number of threads (one by default)."""

    name = "openvino"
    runtime = "devices.backends.ov.runtime:OpenVino"
    package = "openvino"
    install = 'pip install "latseg[openvino]"'
    over_ssh = True


class OpenVinoBf16Device(OpenVinoDevice):
    """OpenVINO in bfloat16: eight bits of precision instead of 24, on processors that compute with it.

    Its outputs differ from those of float32 in the third digit.
    """

    name = "openvino-bf16"
    runtime = "devices.backends.ov.runtime:OpenVinoBf16"
    precision = "bfloat16"

    @override
    def computing(self, flags: frozenset[str]) -> Availability:
        if _BFLOAT16 & flags:
            return Availability(True)
        return Availability(False, "its processor has no bfloat16", "use openvino, which takes float32")
