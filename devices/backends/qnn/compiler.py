"""ONNX Runtime's provider QNN inside the worker process: it compiles for the NPU, and runs models in its emulator.

The provider is a plug-in of ONNX Runtime (onnxruntime.ai, "Plugin Execution Provider Libraries"). Its compiler chooses
by the number of the processor; without one, a model that was refused makes it refuse all later ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from shutil import move
from typing import Any

import onnx
from typing_extensions import override

from devices.backends.qnn.quantise import PART, is_quantised, quantise
from devices.model_inputs import fix_input_shapes
from devices.profiled_model import load_named, node_position
from devices.worker.compiler import CompiledModel, Compiler
from devices.worker.runtime import Array, InputShapes, ModelFailedError, numbers, one_line
from foundation.temporary_folder import TemporaryFolder

_PROCESSOR = {"soc_model": "57", "htp_arch": "75"}
"""Snapdragon 8 Gen 3, the one that the target names."""
_PROVIDER = "qnn"
_UNITS = {_PROVIDER: "npu"}
_OTHER_UNIT = "cpu"
_APPENDED = re.compile(rf"({PART}\d+)?(_token_\d+)?$")
"""To the names of divided nodes, and by ONNX Runtime to those of nodes whose layout it changes."""


class QnnHtp(Compiler):
    """Compiles float models after quantising them, and quantised ones as they are."""

    def __init__(self, threads: int) -> None:
        import onnxruntime
        import onnxruntime_qnn

        del threads  # of the emulator: it takes one
        onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
        self._devices = [each for each in onnxruntime.get_ep_devices() if each.ep_name == _PROVIDER]
        self._backend = onnxruntime_qnn.get_qnn_htp_path()

    @override
    def compile(self, path: Path, feeds: Mapping[str, Array], artifact: Path) -> CompiledModel:
        model, _ = load_named(path)
        nodes = len(model.graph.node)
        fix_input_shapes(model, {name: array.shape for name, array in feeds.items()})
        with TemporaryFolder() as folder:
            quantised = folder.path / "quantised.onnx"
            if is_quantised(model):
                onnx.save(model, quantised)
            else:
                try:
                    quantise(model, [feeds], quantised)
                except Exception as error:  # the quantiser raises what it meets
                    raise ModelFailedError(f"it cannot be quantised: {one_line(error)}") from error
            context = folder.path / "context.onnx"
            session = self._session(quantised, context)
            if not context.is_file():
                raise ModelFailedError("none of its operators runs on the NPU")
            move(context, artifact)
        return HtpModel(session, nodes)

    def _session(self, path: Path, context: Path) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        settings = {
            "session.record_ep_graph_assignment_info": "1",
            "ep.context_enable": "1",
            "ep.context_embed_mode": "1",
            "ep.context_file_path": str(context),
        }
        for key, value in settings.items():
            options.add_session_config_entry(key, value)
        provider = {"backend_path": self._backend, "offload_graph_io_quantization": "0", **_PROCESSOR}
        options.add_provider_for_devices(self._devices, provider)
        try:
            # Otherwise a failure of the provider is printed, and the session computes on the CPU.
            return onnxruntime.InferenceSession(str(path), options, enable_fallback=0)
        except Exception as error:  # onnxruntime raises classes of its own that share no public base
            raise ModelFailedError(one_line(error)) from error


class HtpModel(CompiledModel):
    """A session whose nodes run in the emulator."""

    def __init__(self, session: Any, nodes: int) -> None:
        self._session = session
        self.inputs: InputShapes = tuple((each.name, tuple(each.shape)) for each in session.get_inputs())
        self.units = _units(session, nodes)

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        try:
            return numbers(self._session.run(None, dict(feeds)))
        except Exception as error:  # as above: no public base class
            raise ModelFailedError(one_line(error)) from error


def _units(session: Any, nodes: int) -> tuple[str, ...]:
    """The unit of each of the user's nodes; empty where ONNX Runtime merged it into another."""
    units, strays = [""] * nodes, []
    for part in session.get_provider_graph_assignment_info():
        unit = _UNITS.get(part.ep_name, _OTHER_UNIT)
        for node in part.get_nodes():
            position = node_position(_APPENDED.sub("", node.name))
            if position is not None and units[position] != _OTHER_UNIT:  # one part there is enough
                units[position] = unit
            elif position is None and unit == _OTHER_UNIT:
                strays.append(node.op_type)
    if strays and _OTHER_UNIT not in units:
        raise ModelFailedError(f"{', '.join(sorted(set(strays)))} would run on the {_OTHER_UNIT}")
    return tuple(units)
