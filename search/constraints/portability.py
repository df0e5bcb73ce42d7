"""The constraint that a target runs every operator of a net, by the answers of its compiler or runtime."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import onnx

from devices.compiled_target import CompiledTarget
from devices.device import Candidate
from devices.model_inputs import random_inputs
from devices.output_comparison import compare_outputs
from devices.prepared import prepare
from devices.registry import get_device
from devices.support import FileSupport, Verdict
from devices.target import Target
from foundation.temporary_folder import TemporaryFolder
from latency.operators.operator import Operator, OperatorGraph
from latency.operators.synthesize import single_operator, to_model

_logger = logging.getLogger(__name__)
_REFERENCE = "cpu"


@dataclass(frozen=True)
class Portability:
    """All operators must run on ``target``.

    The target is asked once for each form of operator: what compilers refuse depends on kernel, stride, dilation and
    activation, hardly on sizes. A net that is about to win is compiled as a whole (``fault``).
    """

    target: Target
    allow_fallback: bool = False
    """Whether an operator may run on another compute unit than the one that the target is meant for."""
    _answers: dict[tuple[object, ...], bool] = field(default_factory=dict)

    @property
    def constraint(self) -> str:
        """The constraint's name, ``portable:<target>``."""
        return f"portable:{self.target.name}"

    def refused(self, graph: OperatorGraph) -> float:
        """Share of the operators that the target does not run.

        Raises:
            DeviceUnavailableError: the target cannot be used here.
        """
        return sum(not self._runs(operator) for operator in graph.operators) / max(1, len(graph.operators))

    def fault(self, path: Path) -> str:
        """Why the target does not run a whole ONNX file, or what no rounding explains in its outputs; empty else.

        Raises:
            DeviceUnavailableError: the target cannot be used here.
            UserError: not a model.
        """
        prepared = prepare(Candidate(path.name, path))
        inputs = random_inputs(prepared.inputs)
        if isinstance(self.target, CompiledTarget):
            answer = self.target.placed(prepared.path, inputs)
        else:
            answer = self.target.support(prepared.path, inputs)
        if not self._accepts(answer):
            return f"{self.target.name} does not run it: {answer.reason}"
        expected = None if answer.outputs is None else get_device(_REFERENCE).support(prepared.path, inputs).outputs
        if answer.outputs is None or expected is None:
            return ""
        other = compare_outputs(expected, answer.outputs).fault
        return f"unlike ONNX Runtime, {self.target.name} computes {other}" if other else ""

    def _runs(self, operator: Operator) -> bool:
        form = form_of(operator)
        if form not in self._answers:
            with TemporaryFolder() as folder:
                path = folder.path / f"{operator.kind}.onnx"
                onnx.save(to_model(single_operator(operator)), path)
                fault = self.fault(path)
            if fault:
                _logger.info("%s %s: %s", operator.kind, dict(operator.attributes), fault)
            self._answers[form] = not fault
        return self._answers[form]

    def _accepts(self, answer: FileSupport) -> bool:
        fallback = self.allow_fallback and answer.verdict is Verdict.FALLS_BACK
        return fallback or answer.verdict is Verdict.SUPPORTED


@lru_cache(maxsize=1 << 16)
def form_of(operator: Operator) -> tuple[object, ...]:
    """What of an operator may decide whether a compiler takes it: kind and attributes, but of sizes little.

    A group is one for all channels, one for each, or a number between; a dimension is one or more; a resize has its
    factors.
    """
    attributes = dict(operator.attributes)
    channels = operator.input_shapes[0][1] if len(operator.input_shapes[0]) > 1 else 1
    if attributes.get("group", 1) == channels > 1:
        attributes["group"] = "each channel"
    shapes = tuple(tuple(min(size, 2) for size in shape) for shape in operator.input_shapes)
    factors: tuple[float, ...] = ()
    if operator.kind == "Resize":
        pairs = zip(operator.input_shapes[0], operator.output_shapes[0], strict=True)
        factors = tuple(after / before for before, after in pairs)
    return (operator.kind, tuple(sorted(attributes.items())), shapes, factors)
