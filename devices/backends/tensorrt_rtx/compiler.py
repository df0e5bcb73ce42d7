"""TensorRT for RTX inside the worker process: builds engines on the processor; none of them runs here."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from devices.model_file import read_model
from devices.worker.compiler import CompiledModel, Compiler
from devices.worker.runtime import Array, InputShapes, ModelFailedError

if TYPE_CHECKING:
    import tensorrt_rtx_bindings.tensorrt_rtx as trt

_LIBRARIES = "onnxruntime_ep_nv_tensorrt_rtx"
_IN_ORDER = ("libcudart.so.*", "libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*")
"""Each needs those before it. Their names hold the version; once they are loaded, the bindings find them by SONAME."""
_UNIT = "gpu"


class TensorRtRtx(Compiler):
    """Builds strongly typed engines for several GPUs at once: precision is decided in the ONNX file."""

    def __init__(self, threads: int) -> None:
        del threads  # the builder chooses
        self._trt = _import_bindings()
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)

    @override
    def compile(self, path: Path, feeds: Mapping[str, Array], artifact: Path) -> CompiledModel:
        builder = self._trt.Builder(self._logger)
        network = builder.create_network(0)
        parser = self._trt.OnnxParser(network, self._logger)
        if not parser.parse_from_file(str(path)):
            raise ModelFailedError(_errors(parser))
        config = builder.create_builder_config()
        config.profiling_verbosity = self._trt.ProfilingVerbosity.DETAILED
        profile = builder.create_optimization_profile()
        for name, array in feeds.items():
            profile.set_shape(name, array.shape, array.shape, array.shape)
        config.add_optimization_profile(profile)
        engine = builder.build_serialized_network(network, config)
        if engine is None:
            raise ModelFailedError("the builder makes no engine of it")
        artifact.write_bytes(engine)
        return RtxEngine(path, feeds)


class RtxEngine(CompiledModel):
    """An engine that was written; what a GPU does not run is refused as a whole, so all nodes run there."""

    def __init__(self, path: Path, feeds: Mapping[str, Array]) -> None:
        self.units = (_UNIT,) * len(read_model(path).graph.node)
        self.inputs: InputShapes = tuple((name, array.shape) for name, array in feeds.items())

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        raise ModelFailedError("an engine runs on a GPU only")


def _import_bindings() -> Any:
    """The bindings, behind the libraries that they are linked with."""
    spec = find_spec(_LIBRARIES)
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "")
    for pattern in _IN_ORDER:
        found = next(folder.glob(pattern), None)
        if found is None:
            raise ModelFailedError(f"no {pattern} in {folder}")
        ctypes.CDLL(str(found), ctypes.RTLD_GLOBAL)
    from tensorrt_rtx_bindings import tensorrt_rtx

    return tensorrt_rtx


def _errors(parser: trt.OnnxParser) -> str:
    errors = [parser.get_error(position) for position in range(parser.num_errors)]
    return "; ".join(f"{each.node_operator()} {each.node_name()}: {each.code().name}" for each in errors)[:300]
