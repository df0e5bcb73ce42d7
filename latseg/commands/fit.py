"""``latseg fit``: trains the predictors on what was measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from latseg.console import Console, table
from latseg.options import DeviceOption, SeedOption, ThreadsOption
from latseg.workspace import Workspace


def fit(
    context: typer.Context,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    test_fraction: Annotated[float, typer.Option(min=0.05, max=0.5, help="Share of the nets held out.")] = 0.2,
    alpha: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of nets that may exceed the predicted bound.")
    ] = 0.1,
    split_conformal: Annotated[
        bool, typer.Option("--split", help="Calibrate the bound on the held-out nets alone and never train on them.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Train the predictors, test them on held-out nets, weigh them, and calibrate the bound."""
    from devices.registry import get_device
    from latency.fit import few_nets, fit_device
    from latency.fit_summary import summary_of, write_summary
    from latency.predictors.transfer.prior_folder import known_prior

    console: Console = context.obj
    target = get_device(device, threads=threads)
    info = target.info()
    workspace = Workspace(console.workspace)
    with workspace.store() as store:
        samples = store.samples(info.fingerprint)
    with console.progress(f"fit {device}") as progress:
        result = fit_device(
            samples,
            info,
            seed=seed,
            test_fraction=test_fraction,
            alpha=alpha,
            split_conformal=split_conformal,
            prior=known_prior(workspace.prior_folder()) if few_nets(samples) else None,
            on_progress=lambda stage, done, total, error: progress.update(
                done, total, "" if error is None else f"mean error {error:.1f} % so far", stage=stage
            ),
        )
    folder = workspace.predictor_folder(target)
    result.predictor.save(folder)
    summary = summary_of(result)
    write_summary(folder, summary)
    document = {
        "device": info.name,
        "fingerprint": info.fingerprint,
        "predictors": {name: asdict(scores) for name, scores in result.scores.items()},
        "coverage": result.coverage,
        "alpha": alpha,
        "slack": result.slack,
        "bound": result.predictor.calibration.statement,
        "calibration_nets": result.predictor.calibration.count,
        "test_models": result.test_models,
        "seconds": result.seconds,
        "path": str(folder),
    }
    columns = ("mape_percent", "within_5_percent", "within_10_percent", "spearman")
    console.emit(
        document,
        lambda: [
            table(
                f"Predictors of {info.name} on {result.test_models} nets held out",
                ("predictor", *columns),
                [(name, *(getattr(scores, column) for column in columns)) for name, scores in result.scores.items()],
            ),
            f"The bound held for {100 * result.coverage:.0f} % of them, and is {result.slack:.3f} times the measured "
            f"latency on average. {summary.in_use}",
        ],
    )
