"""Models on a device of a workspace: predicted, measured, compared, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder
from latseg.model_files import Shapes, Values, as_arrays, by_model, model_file
from latseg.results import ComparedModel, Comparison, FixedModel, MeasuredModel, PredictedModel
from latseg.table import Table
from latseg.target_handle import TargetHandle
from latseg.units import as_latency_ms

if TYPE_CHECKING:
    from torch import nn

    from devices.device import Device
    from devices.measurement import Measurement
    from export.bundle.check import VerifyResult
    from latency.bounded import BoundedPredictor
    from latency.operators.operator import OperatorGraph
    from latseg.network_model import NetworkModel
    from latseg.open_workspace import OpenWorkspace


class ModelsOnDevice(TargetHandle):
    """What ``DeviceHandle`` does with files and networks."""

    def __init__(self, workspace: OpenWorkspace, device: Device) -> None:
        super().__init__(workspace, device)
        self.device = device

    @property
    def predictor(self) -> BoundedPredictor:
        """The fitted predictor of this device, read from the workspace.

        Raises:
            UserError: there is none, or it was fitted on another device.
        """
        return self.workspace.folder.predictor(self.device, self.workspace.warn)

    def predict(
        self,
        model: str | Path | nn.Module | NetworkModel,
        example_inputs: Any = None,
        *,
        shapes: Shapes | None = None,
        values: Values | None = None,
    ) -> PredictedModel:
        """Predicts the latency of a model, operator by operator, with an upper bound. The model is not run.

        >>> prediction = device.predict(example_model)
        >>> prediction.latency_ms < prediction.upper_ms
        True
        >>> prediction.operators.columns[:3]
        ('kind', 'attributes', 'input')

        Args:
            model: an ONNX file, a torch module, or a known network.
            example_inputs: of a torch module.
            shapes: of inputs with dynamic axes, by name.
            values: of inputs whose numbers decide sizes inside the model, by name.

        Raises:
            UserError: not a model, or the device has no predictor yet.
        """
        from latency.operators.from_onnx import from_onnx
        from latseg.operator_tables import add_knowledge, add_measured, operator_rows

        with model_file(model, example_inputs) as path:
            graph = self._graph(path, shapes, values)
            listed = any(operator.weights_are_inputs for operator in graph.operators)
            plain = from_onnx(path, dict(shapes or {}), as_arrays(values)) if listed else graph
        predictor = self.predictor
        prediction = predictor.predict([graph])[0]
        if listed:
            (constant,) = predictor.predict([plain])
            self._warnings.listed_weights(path, shapes, f", for which {constant.latency_ms:.3f} ms are predicted")
        stored = self.workspace.folder.measured(self.device, graph)
        rows = operator_rows(graph, prediction.operators_ms)
        add_knowledge(rows, prediction.unseen, prediction.isolated)
        add_measured(rows, stored)
        return PredictedModel(predictor, prediction, graph, Table(rows), stored.measurement if stored else None)

    def predict_graphs(self, graphs: Sequence[OperatorGraph]) -> list[float]:
        """Predicted latency of operator graphs in milliseconds."""
        return [prediction.latency_ms for prediction in self.predictor.predict(list(graphs))]

    def measure(
        self,
        model: str | Path | nn.Module | NetworkModel,
        example_inputs: Any = None,
        *,
        shapes: Shapes | None = None,
        values: Values | None = None,
        seed: int = 0,
    ) -> MeasuredModel:
        """Measures the latency of a model, operator by operator, and keeps the measurement in the workspace.

        >>> measured = device.measure(example_model)
        >>> round(sum(measured.operators.column("ms")) / measured.latency_ms, 1)
        1.0

        Args:
            model: an ONNX file, a torch module, or a known network.
            example_inputs: of a torch module.
            shapes: of inputs with dynamic axes, by name.
            values: of inputs whose numbers decide sizes inside the model, by name.
            seed: of the order of the runs.

        Raises:
            UserError: not a model, or the runtime cannot run it.
            DeviceUnavailableError: the device cannot be used here.
        """
        from devices.device import Candidate
        from devices.input_values import encode_all
        from latency.measuring import measure_one
        from latseg.operator_tables import measured_rows

        fixed, arrays = dict(shapes or {}), as_arrays(values)
        with model_file(model, example_inputs) as path:
            self._warnings.values(path, arrays)
            self._warnings.load(self.device)
            candidate = Candidate(path.name, path, tuple(fixed.items()), encode_all(arrays))
            with self.workspace.folder.store() as store:
                measured = measure_one(self.device, candidate, store, seed=seed)
            rows = measured_rows(partial(self._graph, path, fixed, arrays), measured.measurement)
            with suppress(UserError):
                if any(operator.weights_are_inputs for operator in self._graph(path, fixed, arrays).operators):
                    self._warnings.listed_weights(path, shapes)
            return MeasuredModel(measured, Table(rows))

    def compare(
        self,
        first: str | Path,
        second: str | Path,
        *,
        predicted: bool = False,
        shapes: Shapes | None = None,
        values: Values | None = None,
        seed: int = 0,
    ) -> Comparison:
        """Measures two ONNX files in one interleaved group, or predicts both; the largest differences come first.

        >>> comparison = device.compare(example_model, example_model, predicted=True)
        >>> comparison.difference_ms
        0.0

        Raises:
            UserError: not a model, or the runtime cannot run it; with ``predicted``: no predictor yet.
        """
        from latseg.operator_tables import compare_rows

        models = (Path(first), Path(second))
        fixed = by_model(models, shapes or {}, option="--shape")
        arrays = by_model(models, as_arrays(values), option="--input")
        a, b = self._predicted(models, fixed, arrays) if predicted else self._measured(models, fixed, arrays, seed)
        missing = "; ".join(f"{side.model.name}: {side.missing}" for side in (a, b) if side.missing)
        rows = [] if missing else compare_rows(a.operators, b.operators)
        return Comparison(a, b, predicted, self.info, Table(rows), missing)

    def verify(
        self,
        model: str | Path,
        max_latency: str | float,
        *,
        shapes: Shapes | None = None,
        values: Values | None = None,
        seed: int = 0,
        wait_s: float = 0.0,
    ) -> VerifyResult:
        """Measures whether a model keeps a latency budget, again where a first measurement does not decide.

        >>> device.verify(example_model, "1s").checks[0].detail
        'a simulated device certifies nothing: no run is timed'

        Args:
            model: an ONNX file.
            max_latency: with its unit, such as ``"8ms"``, or in milliseconds.
            shapes: of inputs with dynamic axes, by name.
            values: of inputs whose numbers decide sizes inside the model, by name.
            seed: of the order of the runs.
            wait_s: seconds to wait at most for other programs to leave the machine.

        Raises:
            UserError: not a model, the runtime cannot run it, or no such budget.
            DeviceUnavailableError: the device cannot be used here.
        """
        from devices.model_file import sha256_of
        from export.bundle.budget_checks import SIMULATED
        from export.bundle.check import Check, VerifyResult
        from export.bundle.decision import Budget, decide

        name, path = f"budget on {self.name}", Path(model)
        budget = Budget(as_latency_ms(max_latency), sha256_of(path))
        if self.info.simulated:
            return VerifyResult((Check(name, False, SIMULATED),))

        def measured(attempt: int) -> Measurement:
            return self.measure(path, shapes=shapes, values=values, seed=seed + attempt).measurement

        return VerifyResult((decide(name, budget, measured, self.device.other_load, wait_s=wait_s),))

    def fix(
        self,
        model: str | Path,
        output: str | Path | None = None,
        *,
        shapes: Shapes | None = None,
        values: Values | None = None,
        seed: int = 0,
    ) -> FixedModel:
        """Writes an ONNX file without what costs time for nothing, compares and measures both.

        Weights that are listed among the inputs become constants, and ReLU that is written as Clip becomes ReLU.

        >>> device.fix(example_model).changes
        []

        Args:
            model: an ONNX file.
            output: the file to write; ``NAME-fixed.onnx`` beside the model by default.
            shapes: of inputs with dynamic axes, by name.
            values: of inputs whose numbers decide sizes inside the model, by name.
            seed: of the order of the runs.

        Raises:
            UserError: not a model, the output is there already, or the runtime cannot run it.
            DeviceUnavailableError: the device cannot be used here.
        """
        from devices.input_values import encode_all
        from latseg.fixing import check_equal, check_new, fixed_model, write_new

        path = Path(model)
        output = path.with_name(f"{path.stem}-fixed.onnx") if output is None else Path(output)
        content, changes = fixed_model(path)
        if not changes:
            return FixedModel(path, None, [], None, None)
        check_new(output)
        with TemporaryFolder() as folder:
            # Under its own name only when it was checked and measured: an interruption leaves nothing behind.
            made = folder.path / output.name
            made.write_bytes(content)
            difference = check_equal(self.device, path, made, dict(shapes or {}), encode_all(as_arrays(values)))
            both = self.compare(path, made, shapes=shapes, values=values, seed=seed)
        write_new(output, content)
        return FixedModel(path, output, changes, difference, replace(both, b=replace(both.b, model=output)))

    def _graph(self, path: Path, shapes: Shapes | None, values: Values | None) -> OperatorGraph:
        """The operators of a model as this device computes them."""
        from latency.operators.from_onnx import from_onnx

        listed = self.device.listed_weights_are_inputs
        return from_onnx(path, dict(shapes or {}), as_arrays(values), listed_weights_are_inputs=listed)

    def _measured(
        self, models: Sequence[Path], shapes: Sequence[Shapes], values: Sequence[Mapping[str, Any]], seed: int
    ) -> list[ComparedModel]:
        from devices.device import Candidate
        from devices.input_values import encode_all
        from latency.measuring import measure_together
        from latseg.operator_tables import measured_rows

        candidates = [
            Candidate(f"{which} {model.name}", model, tuple(fixed.items()), encode_all(arrays))
            for which, model, fixed, arrays in zip("AB", models, shapes, values, strict=True)
        ]
        for model, arrays in zip(models, values, strict=True):
            self._warnings.values(model, arrays)
        self._warnings.load(self.device)
        with self.workspace.folder.store() as store:
            measured = measure_together(self.device, candidates, store, seed=seed)
        return [
            ComparedModel(
                model,
                one.latency_ms,
                Table(measured_rows(partial(self._graph, model, fixed, arrays), one)),
                one.interval_ms,
                "" if one.operators else one.profiler,
            )
            for model, fixed, arrays, one in zip(models, shapes, values, measured, strict=True)
        ]

    def _predicted(
        self, models: Sequence[Path], shapes: Sequence[Shapes], values: Sequence[Mapping[str, Any]]
    ) -> list[ComparedModel]:
        """What does not belong to any operator is a row of its own."""
        from latseg.operator_tables import operator_rows

        given = zip(models, shapes, values, strict=True)
        graphs = [self._graph(model, fixed, arrays) for model, fixed, arrays in given]
        compared = []
        for model, graph, one in zip(models, graphs, self.predictor.predict(graphs), strict=True):
            overhead = {"kind": "constant", "attributes": "", "output": "", "ms": one.overhead_ms}
            rows = [*operator_rows(graph, one.operators_ms), overhead]
            compared.append(ComparedModel(model, one.latency_ms, Table(rows)))
        return compared
