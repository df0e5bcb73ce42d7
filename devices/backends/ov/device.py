"""The device ``openvino``: OpenVINO's CPU plugin on this machine."""

from __future__ import annotations

from devices.worker.device import ProcessDevice


class OpenVinoDevice(ProcessDevice):
    """OpenVINO, float32, with a fixed number of threads (one by default)."""

    name = "openvino"
    runtime = "devices.backends.ov.runtime:OpenVino"
    package = "openvino"
    install = 'pip install "latseg[openvino]"'
