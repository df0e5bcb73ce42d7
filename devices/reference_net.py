"""The net against which every candidate is timed: the operator mix of a small mobile segmentation net, about 1 ms.

Input ``image`` 1 x 3 x 192 x 192, output ``logits`` 1 x 2 x 192 x 192. The file is part of the package;
``tests/devices/test_reference_net.py`` holds the code that built it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from devices.model_file import sha256_of

REFERENCE_NET = Path(__file__).with_name("reference_net.onnx")


@lru_cache(maxsize=1)
def reference_net_sha256() -> str:
    """SHA-256 of the reference net's file; nominal times of different reference nets are not comparable."""
    return sha256_of(REFERENCE_NET)
