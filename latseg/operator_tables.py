"""Tables with a row for each operator of a model: predicted, measured, and two models compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from devices.measurement import Measurement
from foundation.errors import UserError
from latency.operators.operator import Operator, OperatorGraph, Shape
from latseg.table import Row

if TYPE_CHECKING:
    from latency.store_rows import StoredMeasurement

_KEY = ("kind", "attributes", "output")


def operator_rows(graph: OperatorGraph, times_ms: Sequence[float]) -> list[Row]:
    """One row for each operator with its time and its share of the whole."""
    total = sum(times_ms) or 1.0
    return [
        {
            "kind": operator.kind,
            "attributes": describe(operator),
            "input": " ".join(_dimensions(shape) for shape in operator.input_shapes),
            "output": _dimensions(operator.output_shapes[0]) if operator.output_shapes else "",
            "mflops": round(operator.flops / 1e6, 3),
            "ms": round(ms, 5),
            "share_percent": round(100 * ms / total, 2),
        }
        for operator, ms in zip(graph.operators, times_ms, strict=True)
    ]


def add_knowledge(rows: Sequence[Row], unseen: Sequence[int], alone: Sequence[int]) -> None:
    """Adds ``known`` to the rows of a prediction: where operators like it were measured."""
    for position, row in enumerate(rows):
        row["known"] = "never measured" if position in unseen else "measured alone" if position in alone else "in nets"


def add_measured(rows: Sequence[Row], stored: StoredMeasurement | None) -> None:
    """Adds ``measured_ms`` and ``kernel`` to the rows of a prediction of the same net.

    ``kernel`` holds the positions of the operators that the runtime ran as one; their time stands at the first of them,
    the others have None, as have all where nothing was measured.
    """
    from latency.kernel_times import join

    for row in rows:
        row.update(measured_ms=None, kernel=[])
    for kernel in join(stored.graph, stored.measurement.operators) if stored else ():
        for position in kernel.operators:
            rows[position]["kernel"] = list(kernel.operators)
        rows[kernel.operators[0]]["measured_ms"] = round(kernel.ms, 5)


def measured_rows(read: Callable[[], OperatorGraph], measurement: Measurement) -> list[Row]:
    """One row for each kernel that the runtime reported, with the operators that it covers.

    ``read`` gives the model's operators; where it raises a ``UserError``, the rows are the kernels alone.
    """
    from latency.kernel_times import join

    try:
        graph = read()
    except UserError:
        return [_bare_row(time.kernel, time.output_shape, time.ms, measurement) for time in measurement.operators]
    kernels = {name: time.kernel for time in measurement.operators for name in time.outputs}
    rows = []
    for kernel in join(graph, measurement.operators):
        covered = [graph.operators[position] for position in kernel.operators]
        names = dict.fromkeys(kernels[name] for operator in covered for name in operator.tensors if name in kernels)
        rows.append(
            {
                "kind": " + ".join(operator.kind for operator in covered),
                "attributes": " + ".join(filter(None, (describe(operator) for operator in covered))),
                "output": _dimensions(covered[-1].output_shapes[0]),
                "mflops": round(sum(operator.flops for operator in covered) / 1e6, 3),
                "ms": round(kernel.ms, 5),
                "share_percent": round(100 * kernel.ms / measurement.latency_ms, 2),
                "kernel": ", ".join(names),
                "positions": list(kernel.operators),
            }
        )
    return rows


def compare_rows(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """One row for each kind, attributes and output shape of either model, the largest difference first.

    Args:
        first: rows of the model that is compared.
        second: the same of the other model.

    Returns:
        ``kind, attributes, output, count_a, count_b, ms_a, ms_b, difference_ms`` (second - first).
    """
    sums = [_sums(rows) for rows in (first, second)]
    rows = []
    for key in dict.fromkeys((*sums[0], *sums[1])):
        (count_a, ms_a), (count_b, ms_b) = (side.get(key, (0, 0.0)) for side in sums)
        named = dict(zip(_KEY, key, strict=True))
        rows.append(
            {
                **named,
                "count_a": count_a,
                "count_b": count_b,
                "ms_a": round(ms_a, 5),
                "ms_b": round(ms_b, 5),
                "difference_ms": round(ms_b - ms_a, 5),
            }
        )
    return sorted(rows, key=lambda row: (-abs(row["difference_ms"]), row["kind"], row["attributes"], row["output"]))


def describe(operator: Operator) -> str:
    """Attributes that differ from the usual, in a few words: ``3x3 /2 depthwise hswish``."""
    words = []
    attributes = dict(operator.attributes)
    kernel, strides = attributes.get("kernel"), attributes.get("strides")
    if isinstance(kernel, tuple):
        words.append("x".join(map(str, kernel)))
    if isinstance(strides, tuple) and any(stride != 1 for stride in strides):
        words.append(f"/{strides[0]}")
    dilations = attributes.get("dilations")
    if isinstance(dilations, tuple) and any(dilation != 1 for dilation in dilations):
        words.append(f"dilated {dilations[0]}")
    group = attributes.get("group", 1)
    if isinstance(group, int) and group > 1:
        depthwise = bool(operator.input_shapes) and group == operator.input_shapes[0][1]
        words.append("depthwise" if depthwise else f"{group} groups")
    words.extend(str(attributes[name]) for name in ("activation", "mode") if attributes.get(name, "none") != "none")
    words.extend(["weights are inputs"] if operator.weights_are_inputs else [])
    return " ".join(words)


def _bare_row(kernel: str, shape: Shape, ms: float, measurement: Measurement) -> Row:
    share = round(100 * ms / measurement.latency_ms, 2)
    row = {"kind": kernel, "attributes": "", "output": _dimensions(shape), "mflops": 0.0, "ms": round(ms, 5)}
    return row | {"share_percent": share, "kernel": kernel, "positions": []}


def _dimensions(shape: Shape) -> str:
    return "x".join(map(str, shape[1:] if len(shape) > 1 else shape))


def _sums(rows: Iterable[Row]) -> dict[tuple[str, ...], tuple[int, float]]:
    counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
    times: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for row in rows:
        key = tuple(str(row[name]) for name in _KEY)
        counts[key] += 1
        times[key] += row["ms"]
    return {key: (counts[key], times[key]) for key in counts}
