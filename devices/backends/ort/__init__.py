"""ONNX Runtime.

From version 1.29 on, a thread in the process that is timed sends usage data to its vendor, unless this variable is set
before it is imported.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
