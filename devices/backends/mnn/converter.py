"""MNN's converter, in a process of its own: it prints, and a model that it does not expect may end it.

Called is the library ``_tools`` that lies beside the package. Importing the command above it, ``MNN.tools.mnnconvert``,
would run ``pip install`` for a package that sends usage data.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from devices.graph_walk import all_nodes, without_functions
from devices.model_file import read_model
from devices.worker.transport import described, worker_environment
from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    from onnx import NodeProto

_TIMEOUT_S = 120.0
_CHILD = (
    "import sys; from devices.worker.memory_limit import limit_memory; limit_memory(); "
    "import _tools; _tools.mnnconvert(sys.argv)"
)
_ARGUMENTS = ("-f", "ONNX", "--bizCode", "latseg", "--modelFile")
_NO_REASON = re.compile(r"Converted Failed!|inputTensors : |outputTensors: |Start to |The device supports")
_PLACE = re.compile(r"^\[[0-9:]+\] :\d+: ")
"""Time and line of MNN's source before a message."""


def convert(onnx: Path, target: Path) -> None:
    """Writes the model of ``onnx`` to ``target`` as MNN file, in float32.

    The converter ends with success whatever happens; whether it wrote the file tells.

    Raises:
        UserError: the converter refuses the model (an operator that it lacks is named), crashes or hangs; MNN would
            compute something else.
    """
    if any(_is_cubic(node) for node in all_nodes(without_functions(read_model(onnx)).graph.node)):
        raise _refused(onnx, "a cubic Resize by half pixels, which MNN computes otherwise than ONNX")
    with TemporaryFolder() as temporary, TemporaryFile() as printed:
        command = [sys.executable, "-P", "-c", _CHILD, *_ARGUMENTS, str(onnx), "--MNNModel", str(target)]
        try:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=worker_environment(temporary.path),
                timeout=_TIMEOUT_S,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise _refused(onnx, f"a converter that was not done after {_TIMEOUT_S:g} s") from error
        printed.seek(0)
        reason = _reason(printed.read().decode(errors="replace"))
    if code or not target.exists():
        target.unlink(missing_ok=True)
        raise _refused(onnx, f"{described(code)}: {reason}" if code else reason)


def _is_cubic(node: NodeProto) -> bool:
    texts = {each.name: each.s for each in node.attribute}
    rule = texts.get("coordinate_transformation_mode", b"half_pixel")
    return node.op_type == "Resize" and texts.get("mode") == b"cubic" and rule.endswith(b"half_pixel")


def _reason(printed: str) -> str:
    """The last line that says something."""
    lines = [_PLACE.sub("", line).strip() for line in printed.splitlines() if not _NO_REASON.search(line)]
    return next((line[:300] for line in reversed(lines) if line), "no file and no reason")


def _refused(onnx: Path, seen: str) -> UserError:
    return UserError(
        f"model {onnx}", seen=seen, expected="a model that MNN's converter can convert", remedy="replace the operator"
    )
