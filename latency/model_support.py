"""Whether a device runs a model, and which of its operators it does not run: the runtime itself is asked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from devices.device import Candidate
from devices.model_file import check_model
from devices.model_inputs import random_inputs
from devices.output_comparison import OutputComparison, compare_outputs
from devices.prepared import PreparedCandidate, prepare
from devices.reference_net import REFERENCE_NET
from devices.registry import get_device
from devices.shape_inputs import setting_slots
from devices.support import FileSupport, OperatorSupport, Verdict
from devices.target import Target
from foundation.errors import DeviceUnavailableError, UserError
from foundation.temporary_folder import TemporaryFolder
from latency.operators.from_onnx import errors_of_the_file
from latency.operators.single_nodes import SingleNode, nodes_of, same_operator, single_nodes

_logger = logging.getLogger(__name__)
_REFERENCE = "cpu"
"""ONNX Runtime, with whose outputs those of every device are compared."""
_ALONE = "operator.onnx"
"""Name for the file of one operator in the runtime's reasons."""
_REPLACE = "replace it by other operators, or export with another opset"
_STRIDED = "take a stride or a dilation of 1: compilers of NPUs refuse both above 1"
_INDICES = frozenset({onnx.TensorProto.INT32, onnx.TensorProto.INT64})
_OTHER_FLOATS = frozenset({onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16})


@dataclass(frozen=True, slots=True)
class ModelSupport:
    """Whether a device runs a model."""

    verdict: Verdict
    """Of the whole model."""
    reason: str
    """Why not, in one line; empty where it runs."""
    operators: tuple[OperatorSupport, ...]
    """In the model's order. Where the whole runs, every one is supported."""
    comparison: OutputComparison | None
    """With the outputs of ONNX Runtime; None where one of the two computed nothing."""


def model_support(device: Target, candidate: Candidate, *, seed: int = 0) -> ModelSupport:
    """Runs or compiles the model once, with random inputs, and each distinct operator alone where the whole fails.

    An operator that fails alone while others of its kind do not is ``partial``. A model runs where its outputs have the
    shapes of those of ONNX Runtime, and NaN or infinity only where these have them, too. A crash or a hang of the
    runtime costs one answer.

    Raises:
        DeviceUnavailableError: the device cannot be used here, or its runtime fails on the reference net.
        UserError: not a model, an input that cannot be fed, or an input or output that is no tensor of numbers.
    """
    prepared = prepare(candidate)
    _refuse_text(prepared)
    runs = _Runs(device, seed)
    whole, comparison = runs.run(prepared)
    if whole.verdict in (Verdict.SUPPORTED, Verdict.FALLS_BACK):
        rows = _on_units(nodes_of(prepared.path), whole)
    else:
        runs.require_runtime()
        rows = _operators(runs, single_nodes(prepared.path, prepared.inputs))
    return ModelSupport(whole.verdict, whole.reason, tuple(rows), comparison)


def _refuse_text(prepared: PreparedCandidate) -> None:
    """Only numbers travel to a worker and back."""
    graph = check_model(prepared.path).graph
    for value in (*graph.input, *graph.output):
        text = value.type.tensor_type.elem_type == onnx.TensorProto.STRING
        if text or value.type.WhichOneof("value") not in (None, "tensor_type"):
            raise UserError(
                f"tensor {value.name!r}", seen="text, or no tensor", expected="inputs and outputs of numbers",
                remedy="check the network without what reads and writes text; `latseg measure` can time it",
            )  # fmt: skip


class _Runs:
    """Runs of files on the device and on ONNX Runtime, with the same random inputs."""

    def __init__(self, device: Target, seed: int) -> None:
        self._device = device
        self._reference = get_device(_REFERENCE)
        self._seed = seed

    def run(self, prepared: PreparedCandidate) -> tuple[FileSupport, OutputComparison | None]:
        """The device's answer; outputs that no rounding explains are none."""
        inputs = random_inputs(prepared.inputs, self._seed)
        answer = self._device.support(prepared.path, inputs)
        expected = None if answer.outputs is None else self._reference.support(prepared.path, inputs).outputs
        if answer.outputs is None or expected is None:
            return answer, None
        comparison = compare_outputs(expected, answer.outputs)
        if comparison.fault:
            return FileSupport(Verdict.UNSUPPORTED, f"unlike ONNX Runtime it computes {comparison.fault}"), comparison
        return answer, comparison

    def require_runtime(self) -> None:
        """Runs the reference net.

        Raises:
            DeviceUnavailableError: the runtime fails on it, so that no model is at fault.
        """
        answer, _ = self.run(prepare(Candidate("reference net", REFERENCE_NET)))
        if answer.verdict is not Verdict.SUPPORTED:
            raise DeviceUnavailableError(
                f"device {self._device.name!r}", seen=f"the reference net failed ({answer.reason})",
                expected="a runtime that runs it", remedy="reinstall the runtime",
            )  # fmt: skip


def _on_units(nodes: Sequence[SingleNode], whole: FileSupport) -> list[OperatorSupport]:
    """The nodes of a file that runs; those of functions, which stand in their place, have no unit."""
    units = whole.units if len(whole.units) == len(nodes) else ("",) * len(nodes)
    return [
        OperatorSupport(node.name, node.kind, Verdict.SUPPORTED, unit=unit)
        if unit in ("", whole.unit)
        else OperatorSupport(node.name, node.kind, Verdict.FALLS_BACK, f"not on the {whole.unit}", _REPLACE, unit)
        for node, unit in zip(nodes, units, strict=True)
    ]


def _operators(runs: _Runs, nodes: Iterable[SingleNode]) -> list[OperatorSupport]:
    answers: dict[bytes, FileSupport] = {}
    rows = []
    with TemporaryFolder() as folder:
        for node in nodes:
            if node.model is None:
                rows.append(OperatorSupport(node.name, node.kind, Verdict.UNKNOWN, node.reason))
                continue
            key = same_operator(node.model)
            if key not in answers:
                answers[key] = _alone(runs, node.model, folder.path / f"operator_{len(answers)}.onnx")
                _logger.info("%s %s alone: %s", node.kind, node.name, answers[key].verdict)
            answer = answers[key]
            remedy = _remedy(node, node.model) if answer.verdict is Verdict.UNSUPPORTED else ""
            rows.append(OperatorSupport(node.name, node.kind, answer.verdict, answer.reason, remedy))
    runs_here = {row.kind for row in rows if row.verdict is Verdict.SUPPORTED}
    return [
        replace(row, verdict=Verdict.PARTIAL) if row.verdict is Verdict.UNSUPPORTED and row.kind in runs_here else row
        for row in rows
    ]


def _alone(runs: _Runs, model: onnx.ModelProto, path: Path) -> FileSupport:
    try:
        with errors_of_the_file():
            path.write_bytes(model.SerializeToString())
        answer, _ = runs.run(prepare(Candidate(path.stem, path)))
    except DeviceUnavailableError:
        raise
    except UserError as error:  # more than 2 GiB, or what cannot be fed, such as a dimension of 0
        return FileSupport(Verdict.UNKNOWN, f"{error.what}: {error.seen}")
    reason = answer.reason.replace(str(path), _ALONE)  # equal for equal causes
    if answer.verdict is Verdict.UNSUPPORTED and _reads_settings(model):
        return FileSupport(Verdict.UNKNOWN, f"it fails with random sizes or indices: {reason}")
    return replace(answer, reason=reason)


def _reads_settings(model: onnx.ModelProto) -> bool:
    """Whether it is fed with integers, or with what decides sizes: random ones need not be what the operator allows."""
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    node = model.graph.node[0]
    settings = {node.input[slot] for slot in setting_slots(node) if slot < len(node.input)}
    return bool(settings & types.keys()) or not _INDICES.isdisjoint(types.values())


def _remedy(node: SingleNode, model: onnx.ModelProto) -> str:
    if node.kind.startswith("com.microsoft."):
        return "take the file from before ONNX Runtime optimised it, or export with standard operators"
    if any(value.type.tensor_type.elem_type in _OTHER_FLOATS for value in model.graph.input):
        return "export the network in float32"
    return _STRIDED if _strided_and_dilated(model) else _REPLACE


def _strided_and_dilated(model: onnx.ModelProto) -> bool:
    numbers = {attribute.name: tuple(attribute.ints) for attribute in model.graph.node[0].attribute}
    return all(max(numbers.get(name, (1,))) > 1 for name in ("strides", "dilations"))
