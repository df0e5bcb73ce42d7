"""The figures of a report. Each is a plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmentation.reliability import ReliabilityBin

INK, MUTED, GOOD, BAD, GRID = "#1f2933", "#9aa5b1", "#0b7a75", "#c2410c", "#e4e7eb"


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One trial as the report shows it."""

    id: str
    latency_ms: float
    """The predicted upper bound, or what was measured where ``measured``."""
    measured: bool
    quality: float
    parameters: int
    status: str
    on_front: bool


@dataclass(frozen=True, slots=True)
class PredictedMeasured:
    """One held-out net."""

    label: str
    measured_ms: float
    predicted_ms: float
    upper_ms: float


def pareto_figure(points: Sequence[TrialPoint], device: str, budget_ms: float) -> Any:
    """Quality over latency with the front and the budget line."""
    import plotly.graph_objects as go

    figure = go.Figure()
    groups = [
        ("evaluated", MUTED, 7, [p for p in points if not p.on_front and p.status != "winner"]),
        ("Pareto front", INK, 9, sorted((p for p in points if p.on_front), key=lambda p: p.latency_ms)),
        ("certified winner", GOOD, 15, [p for p in points if p.status == "winner"]),
        ("rejected by measurement", BAD, 10, [p for p in points if p.status == "rejected"]),
    ]
    for name, colour, size, group in groups:
        if group:
            figure.add_scatter(
                x=[p.latency_ms for p in group],
                y=[100 * p.quality for p in group],
                mode="lines+markers" if name == "Pareto front" else "markers",
                line={"color": colour, "width": 1, "shape": "hv"},
                marker={"color": colour, "size": size, "symbol": "star" if name == "certified winner" else "circle"},
                name=name,
                text=[f"{p.id}<br>{p.parameters / 1e6:.3f} M parameters" for p in group],
                hovertemplate="%{text}<br>%{x:.2f} ms, %{y:.1f} %<extra></extra>",
            )
    figure.add_vline(x=budget_ms, line={"color": BAD, "dash": "dash"})
    figure.add_annotation(
        x=budget_ms, y=1, yref="paper", text=f"budget {budget_ms:g} ms", showarrow=False, xanchor="right"
    )
    bound = f"upper bound of the latency on {device} when evaluated (candidates: measured), ms"
    figure.update_xaxes(title=bound, rangemode="tozero")
    figure.update_yaxes(title="quality during the search, %")
    return _styled(figure)


def predicted_figure(rows: Sequence[PredictedMeasured], device: str) -> Any:
    """Predicted over measured latency of the held-out nets, with a band of 10 %."""
    import plotly.graph_objects as go

    low = 0.9 * min(min(row.measured_ms, row.predicted_ms) for row in rows)
    high = 1.1 * max(max(row.measured_ms, row.upper_ms) for row in rows)
    figure = go.Figure()
    figure.add_scatter(
        x=[low, high, high, low],
        y=[0.9 * low, 0.9 * high, 1.1 * high, 1.1 * low],
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillcolor="rgba(11,122,117,0.12)",
        name="within 10 %",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[row.measured_ms for row in rows],
        y=[row.predicted_ms for row in rows],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [row.upper_ms - row.predicted_ms for row in rows],
            "arrayminus": [0] * len(rows),
            "color": MUTED,
            "thickness": 1,
        },
        mode="markers",
        marker={"color": INK, "size": 7},
        name="net held out, with its upper bound",
        text=[row.label for row in rows],
        hovertemplate="%{text}<br>measured %{x:.3f} ms<br>predicted %{y:.3f} ms<extra></extra>",
    )
    figure.update_xaxes(title=f"measured on {device}, ms", type="log")
    figure.update_yaxes(title="predicted, ms", type="log")
    return _styled(figure)


def breakdown_figure(rows: Sequence[dict[str, Any]], *, most: int = 16) -> Any:
    """Predicted and measured time of the operators that take the longest; measured times may be None throughout."""
    import plotly.graph_objects as go

    chosen = sorted(rows, key=lambda row: -max(row["predicted_ms"], row["measured_ms"] or 0.0))[:most][::-1]
    names = [f"{row['position']}: {row['kind']} {row['attributes']} → {row['output']}" for row in chosen]
    figure = go.Figure()
    for key, name, colour in (("predicted_ms", "predicted", MUTED), ("measured_ms", "measured", GOOD)):
        figure.add_bar(
            x=[None if row[key] is None else 1000 * row[key] for row in chosen],
            y=names,
            orientation="h",
            name=name,
            marker={"color": colour},
            customdata=[row["mflops"] for row in chosen],
            hovertemplate="%{y}<br>%{x:.0f} µs, %{customdata} MFLOPs<extra></extra>",
        )
    figure.update_xaxes(title="microseconds")
    figure.update_yaxes(automargin=True)
    return _styled(figure, height=90 + 30 * len(chosen))


def reliability_figure(bins: Sequence[ReliabilityBin]) -> Any:
    """Observed share of the foreground over its probability, with the share of the pixels as bars."""
    import plotly.graph_objects as go

    total = sum(one.pixels for one in bins)
    x, observed = [one.mean_probability for one in bins], [one.observed_share for one in bins]
    shares = [100 * one.pixels / total for one in bins]
    figure = go.Figure()
    figure.add_bar(x=x, y=shares, width=0.05, yaxis="y2", name="share of the pixels", marker={"color": GRID})
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="perfect", line={"color": MUTED, "dash": "dash"})
    figure.add_scatter(
        x=x,
        y=observed,
        mode="lines+markers",
        name="the net",
        line={"color": GOOD, "width": 2},
        marker={"size": 8},
        text=[f"{one.pixels:,} pixels" for one in bins],
        hovertemplate="probability %{x:.3f}<br>observed share %{y:.3f}<br>%{text}<extra></extra>",
    )
    figure.update_xaxes(title="probability of the foreground (opacity)", range=[-0.03, 1.03])
    figure.update_layout(
        yaxis={
            "title": "observed share of the foreground",
            "range": [-0.03, 1.03],
            "overlaying": "y2",
            "tickmode": "linear",
            "dtick": 0.2,
        },
        yaxis2={
            "title": "share of the pixels, % (bars)",
            "type": "log",
            "range": [-2, 2],
            "dtick": 1,
            "side": "right",
            "showgrid": False,
        },
    )
    return _styled(figure)


def _styled(figure: Any, height: int = 460) -> Any:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 70, "r": 20, "t": 30, "b": 60},
        font={"family": "system-ui, sans-serif", "color": INK, "size": 13},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    return figure
