"""A device in a workspace: profile it and fit its predictor; see ``ModelsOnDevice`` for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from foundation.errors import UserError
from latseg.model_files import Shapes, Values, as_arrays, by_model
from latseg.models_on_device import ModelsOnDevice
from latseg.results import FitReport, ProfileResult
from latseg.units import Size, as_sizes

if TYPE_CHECKING:
    from latency.campaign_items import CampaignItem
    from latency.operators.operator import OperatorGraph


class DeviceHandle(ModelsOnDevice):
    """What ``Workspace.device`` returns.

    >>> device = workspace.device("simulated:noise=0.02")
    >>> device.name
    'simulated:noise=0.02'
    >>> device.info.simulated
    True
    """

    def profile(
        self,
        *,
        models: int = 150,
        operators: int | None = None,
        for_: Sequence[str | Path] = (),
        shapes: Shapes | None = None,
        values: Values | None = None,
        space: str = "portrait",
        sizes: Sequence[Size] | None = None,
        choose: bool = True,
        passes: int | None = None,
        minutes: float | None = None,
        retry_failed: bool = False,
        seed: int = 0,
    ) -> ProfileResult:
        """Measures nets of a search space and single operators; what was measured before is not measured again.

        >>> result = device.profile(models=12, sizes=["128x128"])
        >>> result.models, result.failed
        (12, 0)

        Args:
            models: nets to measure.
            operators: single-operator models to measure; by default 100, and none where ``models`` is at most 60.
            for_: only the operators of these ONNX files.
            shapes: of the inputs of these files with dynamic axes.
            values: of the inputs of these files whose numbers decide sizes inside the model, by name.
            space: search space of the nets.
            sizes: their input sizes, such as ``"128x128"``; all of the space by default.
            choose: few nets: choose the most informative ones by what other devices have shown, instead of sampling.
            passes: how often each net is measured, minutes apart; by default three times, and once where ``models`` is
                at most 60.
            minutes: begin nothing new after this time.
            retry_failed: measure again what failed before.
            seed: of the sampling.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
            UserError: a file, a size or the workspace cannot be used.
        """
        from devices.protocol import MeasurementProtocol
        from latency.campaign import run_campaign
        from latency.campaign_items import default_passes

        if passes is not None and passes < 1:
            raise UserError("passes", seen=passes, expected="1 or more", remedy="leave it out for the default")
        if for_:
            items, chosen = self._operator_items([Path(model) for model in for_], shapes or {}, values or {}), False
        else:
            items, chosen = self._nets(models, operators, space, sizes, choose=choose, seed=seed)
        self._warnings.load(self.device)
        with self.workspace.folder.store() as store, self.workspace.progress(f"profile {self.name}") as report:
            result = run_campaign(
                self.device,
                store,
                items,
                protocol=MeasurementProtocol(),
                passes=default_passes(models) if passes is None else passes,
                minutes=minutes,
                seed=seed,
                retry_failed=retry_failed,
                on_progress=report,
            )
        return ProfileResult(self.info, chosen, result)

    def fit(
        self,
        *,
        test_fraction: float = 0.2,
        alpha: float = 0.1,
        split: bool = False,
        compare: bool = False,
        seed: int = 0,
    ) -> FitReport:
        """Trains the latency predictor on what was measured, tests them on held-out nets, calibrates the bound.

        >>> report = device.fit()
        >>> report.scores["few_samples"].mape_percent < 50
        True

        Args:
            test_fraction: share of the nets that is held out.
            alpha: share of nets that may exceed the predicted bound.
            split: calibrate the bound on the held-out nets only and never train on them (split conformal).
            compare: score other kinds of predictors as well.
            seed: of splits and training.

        Raises:
            UserError: too few nets were measured.
        """
        from latency.fit import few_nets, fit_device
        from latency.fit_summary import write_summary
        from latency.noise_floor import normalising_ms
        from latency.predictors.transfer.prior_folder import known_prior

        info, folder = self.info, self.workspace.folder
        with folder.store() as store:
            samples, nominal_ms = store.samples(info.fingerprint), normalising_ms(info, store)
        with self.workspace.progress(f"fit {self.name}") as report:
            result = fit_device(
                samples,
                info,
                seed=seed,
                test_fraction=test_fraction,
                alpha=alpha,
                split_conformal=split,
                compare=compare,
                prior=known_prior(folder.prior_folder()) if few_nets(samples) else None,
                on_progress=report,
            )
        path = folder.predictor_folder(self.device)
        replace(result.predictor, nominal_reference_ms=nominal_ms).save(path)
        write_summary(path, result.summary)
        return FitReport(info, result, alpha, result.summary.in_use, path)

    def _operator_items(self, models: Sequence[Path], shapes: Shapes, values: Values) -> list[CampaignItem]:
        from latency.campaign_items import operator_items

        fixed = by_model(models, shapes, option="--shape")
        arrays = by_model(models, as_arrays(values), option="--input")
        given = zip(models, fixed, arrays, strict=True)
        return operator_items([self._graph(model, its, numbers) for model, its, numbers in given])

    def _nets(
        self,
        models: int,
        operators: int | None,
        space: str,
        sizes: Sequence[Size] | None,
        *,
        choose: bool,
        seed: int,
    ) -> tuple[list[CampaignItem], bool]:
        """The items of a campaign, and whether the nets were chosen and not sampled."""
        from latency.campaign_items import campaign_items, choose_nets, default_operators
        from latency.predictors.transfer.prior_folder import prior_for
        from search.spaces.registry import open_space

        opened = open_space(space, sizes=as_sizes(sizes))

        def sample(count: int) -> list[OperatorGraph]:
            return [opened.lower(architecture) for architecture in opened.sample(count, Random(seed))]

        others = partial(prior_for, self.workspace.folder.prior_folder(), self.info) if choose else lambda: None
        nets = choose_nets(sample, models, others)
        limit = default_operators(models) if operators is None else operators
        return campaign_items(nets.graphs, operator_limit=limit), nets.chosen
