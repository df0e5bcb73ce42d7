"""The parts of a report that are about the predictor of one device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from devices.measurement import NoiseFloor
from latency.bounded import BoundedPredictor
from latency.fit_summary import FitSummary, read_summary
from latency.kernel_times import join
from latency.operators.operator import OperatorGraph
from latency.sample import KernelTime
from latseg.operator_tables import operator_rows
from latseg.report.figures import PredictedMeasured, breakdown_figure, predicted_figure
from latseg.report.page import Section, figure, folded, html_table
from latseg.table import Row
from latseg.workspace_folder import WorkspaceFolder
from search.constraints.near_budget_record import NearBudget, read_near_budget
from search.run_config import TargetDevice
from search.run_context import RunContext
from search.trial import Trial

NO_SELECTION = "A bound holds for random nets, not for those that a search prefers: winners are measured."
_SAME = 1e-3
"""Two predictions that differ by less than this share are one predictor's."""


def predictor_sections(
    context: RunContext, workspace: WorkspaceFolder, target: TargetDevice, winners: Sequence[Trial]
) -> list[Section]:
    """How well the device's latency is predicted, and where the time of each winner goes."""
    device = context.devices[target.device]
    summary = read_summary(workspace.predictor_folder(device))
    records = read_near_budget(context.folder.near_budget)
    near = next((record for record in records if record.device == target.device), None)
    warnings: list[str] = []
    predictor = workspace.predictor(device, warnings.append)
    remarks = "".join(f" Warning: {text}." for text in warnings)
    if near is not None and abs(near.factor_before / predictor.calibration.factor - 1) > _SAME:
        remarks += " It was fitted again since this search: these are figures of the later fit."
    remarks += _near(near) + _noise(context.store.noise_floor(device.info()))
    sections = [_accuracy_section(summary, target, remarks)]
    return sections + [_breakdown_section(context, target, winner, predictor) for winner in winners]


def _accuracy_section(summary: FitSummary, target: TargetDevice, remarks: str) -> Section:
    rows = [PredictedMeasured(**asdict(row)) for row in summary.test_table]
    scores = [
        (
            name,
            round(s.mape_percent, 2),
            round(s.within_5_percent, 1),
            round(s.within_10_percent, 1),
            round(s.spearman, 4),
        )
        for name, s in summary.predictors.items()
    ]
    columns = ("predictor", "mean error, %", "within 5 %, %", "within 10 %, %", "Spearman")
    lead = (
        f"{summary.test_models} nets measured on {target.device}, held out from a predictor trained on the others; its "
        f"bound held for {100 * summary.coverage:.0f} % of them and is {summary.bound_ratio:.3f} times the measured "
        f"latency on average. {summary.in_use}{remarks}"
    )
    return Section(
        f"How well latency is predicted on {target.device}",
        lead,
        figure(predicted_figure(rows, target.device)) + html_table(columns, scores),
    )


def _near(near: NearBudget | None) -> str:
    return "" if near is None else f" Before this search: {near.statement}. {NO_SELECTION}"


def _noise(floor: NoiseFloor | None) -> str:
    if floor is None:
        return ""
    return f" Noise floor of the measurements (how much repeats of one net differ): {floor.normalised_percent:.2f} %."


def _breakdown_section(
    context: RunContext, target: TargetDevice, winner: Trial, predictor: BoundedPredictor
) -> Section:
    graph = context.space.lower(winner.architecture)
    predicted = predictor.predict([graph])[0]
    stored = context.store.measurements(target.fingerprint, sources={"winner"}, label=winner.id)
    measured = join(stored[-1].graph, stored[-1].measurement.operators) if stored else ()
    rows = _kernel_rows(graph, predicted.operators_ms, measured)
    total = f"{stored[-1].measurement.latency_ms:.3f} ms measured" if stored else "not measured"
    then, bound = winner.predicted_ms[target.device], winner.upper_ms[target.device]
    lead = (
        f"Winner {winner.id}, kernel by kernel as the runtime fused them: {then:.3f} ms predicted when the search "
        f"found it (bound {bound:.3f} ms), {total}.{_refitted(then, predicted.latency_ms)}"
        f"{'' if measured else ' The runtime reports no times of single kernels.'}"
    )
    columns = ("position", "kind", "attributes", "input", "output", "mflops", "predicted_us", "measured_us")
    table_rows = [
        (*(row[c] for c in columns[:6]), *(_microseconds(row[key]) for key in ("predicted_ms", "measured_ms")))
        for row in rows
    ]
    body = figure(breakdown_figure(rows)) + folded("Every kernel in its order", html_table(columns, table_rows))
    return Section(f"Where the milliseconds go on {target.device}", lead, body)


def _refitted(then_ms: float, now_ms: float) -> str:
    if abs(now_ms / then_ms - 1) < _SAME:
        return ""
    return f" The predictor was fitted again since, and the kernels below are by the new one: {now_ms:.3f} ms in all."


def _kernel_rows(graph: OperatorGraph, predicted_ms: Sequence[float], measured: Sequence[KernelTime]) -> list[Row]:
    """Operators that the runtime fused into one kernel share a row: their times cannot be separated."""
    operators = operator_rows(graph, predicted_ms)
    groups = [kernel.operators for kernel in measured] or [(position,) for position in range(len(operators))]
    times: list[float | None] = [kernel.ms for kernel in measured] or [None for _ in groups]
    return [
        {
            "position": group[0],
            "kind": " + ".join(operators[i]["kind"] for i in group),
            "attributes": " + ".join(filter(None, (operators[i]["attributes"] for i in group))),
            "input": operators[group[0]]["input"],
            "output": operators[group[-1]]["output"],
            "mflops": round(sum(graph.operators[i].flops for i in group) / 1e6, 3),
            "predicted_ms": sum(predicted_ms[i] for i in group),
            "measured_ms": ms,
        }
        for group, ms in zip(groups, times, strict=True)
    ]


def _microseconds(ms: float | None) -> float | str:
    return "" if ms is None else round(1000 * ms, 1)
