"""``latseg fit``: trains the predictors on what was measured."""

from __future__ import annotations

from typing import Annotated

import typer

from latseg.console import Console, table
from latseg.options import DeviceOptions, SeedOption


def fit(
    context: typer.Context,
    target: DeviceOptions,
    test_fraction: Annotated[float, typer.Option(min=0.05, max=0.5, help="Share of the nets held out.")] = 0.2,
    alpha: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of nets that may exceed the predicted bound.")
    ] = 0.1,
    split_conformal: Annotated[
        bool, typer.Option("--split", help="Calibrate the bound on the held-out nets only and never train on them.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Score other kinds of predictors on the same held-out nets as well.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Train the latency predictor, test it on held-out nets, and calibrate its bound."""
    console: Console = context.obj
    report = console.api.device(target.device, threads=target.threads).fit(
        test_fraction=test_fraction, alpha=alpha, split=split_conformal, compare=compare, seed=seed
    )
    summary = report.result.summary
    columns = {
        "mape_percent": "mean error, %",
        "within_5_percent": "within 5 %, %",
        "within_10_percent": "within 10 %, %",
        "spearman": "rank correlation",
    }
    console.emit(
        report.to_json(),
        lambda: [
            table(
                f"Predictors of {report.device.name} on {summary.test_models} nets held out",
                ("predictor", *columns.values()),
                [(name, *(getattr(scores, column) for column in columns)) for name, scores in report.scores.items()],
            ),
            f"The bound held for {100 * report.coverage:.0f} % of them, and is {summary.bound_ratio:.3f} times the "
            f"measured latency on average. {report.in_use}",
        ],
    )
