"""A device that derives latency from the sizes of tensors and reads compressed models."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from devices.backends.ort.device import CpuDevice
from devices.conversion import ConversionCache
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, OperatorTime
from devices.model_file import check_model
from devices.model_inputs import tensor_shapes
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.result import measurement_of
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import BlockTime, LoadedModel, OperatorProfile
from devices.worker.timing import Timing, time_group
from foundation.plugin_options import PluginOptions

SUFFIX = ".deflated"
_OVERHEAD_MS = 0.01
_WORK_PER_MS = 1e6


class Ruler(Device):
    """Multiply-adds of every node, divided by ``speed``."""

    format = "deflated"

    class Options(PluginOptions):
        """Options of the device."""

        speed: float = Field(default=1.0, gt=0)

    def __init__(self, *, speed: float = 1.0) -> None:
        self.name = "ruler" if speed == 1 else f"ruler:speed={speed:g}"
        self._speed = speed
        self._converted = ConversionCache(f"model{SUFFIX}", _deflate)

    @override
    def availability(self) -> Availability:
        return Availability(True)

    @override
    def info(self) -> DeviceInfo:
        return DeviceInfo(
            self.name, "a ruler", "arithmetic", "1.0", threads=1, precision="float32", protocol_version=PROTOCOL_VERSION
        )

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        return self._measured([prepare(candidate) for candidate in candidates], nominal_reference_ms, protocol, seed)

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        if path.suffix != SUFFIX:
            check_model(path)
            path = self.convert(path)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.onnx"
            model.write_bytes(zlib.decompress(path.read_bytes()))
            return CpuDevice().infer(model, inputs)

    @override
    def convert(self, onnx: Path) -> Path:
        return self._converted.get(onnx)

    def _measured(
        self, candidates: list[PreparedCandidate], nominal_reference_ms: float, protocol: MeasurementProtocol, seed: int
    ) -> Iterator[Measurement]:
        reference = _Model(prepare(Candidate("reference net", REFERENCE_NET)), self._speed)
        models: dict[int, LoadedModel] = {index: _Model(each, self._speed) for index, each in enumerate(candidates)}
        for index, timing in time_group(models, reference, protocol, random=np.random.default_rng(seed)).items():
            assert isinstance(timing, Timing)
            runs = protocol.profile_runs
            yield measurement_of(
                candidates[index],
                timing,
                models[index].profile(runs) if runs else OperatorProfile("not requested"),
                device=self.info(),
                nominal_reference_ms=nominal_reference_ms,
                protocol=protocol,
                started_at="",
            )


def _deflate(onnx: Path, path: Path) -> None:
    path.write_bytes(zlib.compress(onnx.read_bytes()))


class _Model(LoadedModel):
    def __init__(self, candidate: PreparedCandidate, speed: float) -> None:
        model = check_model(candidate.path)
        shapes = tensor_shapes(model, {each.name: each.shape for each in candidate.inputs})
        graph = TensorGraph(model.graph)
        rows = []
        for node in graph.nodes:
            inputs = tuple(name for name in node.input if name and name not in graph.weights)
            if inputs:
                work = prod(shapes.get(node.output[0], ()))
                work *= prod(shapes[node.input[1]][1:]) if node.op_type == "Conv" else 1
                ms = (_OVERHEAD_MS + work / _WORK_PER_MS) / speed
                shape = shapes.get(node.output[0], ())
                rows.append(OperatorTime(node.op_type, tuple(node.output), inputs, ms, shape, own_ms=ms))
        self._rows = tuple(rows)
        self.load_ms = 1.0

    @override
    def time_block(self, runs: int) -> BlockTime:
        ms = runs * sum(row.ms for row in self._rows)
        return BlockTime(runs, ms, ms)

    @override
    def profile(self, runs: int) -> OperatorProfile:
        return OperatorProfile("ruler", self._rows)
