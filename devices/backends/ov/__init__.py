"""OpenVINO.

Importing it writes an identifier for usage data into the home folder where the package ``openvino_telemetry`` is
installed; without that package it sends nothing.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # None: "not installed"
