"""The Python interface: a workspace, its devices, its runs, and the bundles that they produce.

>>> import latseg
>>> workspace = latseg.Workspace(folder)
>>> device = workspace.device("simulated")
>>> device.info.simulated
True

The command line uses this interface, so both give the same results. Errors are ``foundation.errors.UserError``:
one line that says what is wrong, the value seen, the value expected and the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.errors import UserError
from latseg.analysis import SearchAnalysis, analyse
from latseg.bundle import Bundle
from latseg.device_handle import DeviceHandle
from latseg.model_files import Shapes
from latseg.network_model import NetworkModel
from latseg.open_workspace import OpenWorkspace
from latseg.run_commands import network_command, search_command
from latseg.run_handle import RunHandle, TrainedWinner
from latseg.target_handle import TargetHandle
from latseg.units import BudgetsByDevice, Size, as_latency_ms, as_parameters, as_size, as_sizes
from latseg.workspace_folder import WorkspaceFolder
from search.options import BudgetOptions, DataOptions, SearchOptions, TrainingOptions

if TYPE_CHECKING:
    from devices.device import Device
    from latseg.curve_handle import CurveHandle
    from latseg.evaluation import Evaluation
    from latseg.pretraining import PretrainedPrior
    from latseg.workspace_health import WorkspaceHealth
    from search.constraints.feasibility import Feasibility
    from segmentation.data.check import DataCheck

__all__ = [
    "Bundle",
    "DataOptions",
    "DeviceHandle",
    "NetworkModel",
    "RunHandle",
    "TargetHandle",
    "TrainedWinner",
    "TrainingOptions",
    "Workspace",
    "analyse",
]


class Workspace(OpenWorkspace):
    """A folder with measurements, predictors and runs. It is created when something is written to it.

    Args:
        path: the folder.
        progress: True shows a progress bar, False nothing; a function is called with each
            ``foundation.progress.Progress``.
        on_warning: called with each warning, such as that of a runtime of another version than was measured;
            ``warnings.warn`` by default.
    """

    def device(self, text: str = "cpu", *, threads: int | None = None) -> DeviceHandle:
        """A device of this machine, for example ``cpu``, ``cpu:threads=2`` or ``openvino``. No runtime is loaded yet.

        >>> workspace.device("simulated:noise=0.02").name
        'simulated:noise=0.02'

        Args:
            text: its name, with options after a colon.
            threads: of the runtime, the same as the option ``threads``.

        Raises:
            UserError: no such device or option.
        """
        return DeviceHandle(self, _get_device(text, threads))

    def target(self, text: str, *, threads: int | None = None) -> TargetHandle:
        """A device, or a compiled target such as ``qnn``, of which only ``check`` can be asked.

        >>> workspace.target("simulated").check(example_model).supported
        True

        Args:
            text: its name, with options after a colon.
            threads: of the runtime, the same as the option ``threads``.

        Raises:
            UserError: no such target or option.
        """
        from devices.registry import get_target

        return TargetHandle(self, get_target(text, threads=threads))

    def pretrain(
        self, more: Sequence[str | Path] = (), *, output: str | Path | None = None, seed: int = 0
    ) -> PretrainedPrior:
        """Learns from profiled devices how devices differ, so that a new one needs ten to twenty measured nets.

        Args:
            more: other workspaces with measurements.
            output: folder for the prior; by default the workspace's, where ``fit`` finds it.
            seed: of the training.

        Raises:
            UserError: fewer than two devices with enough measured nets.
        """
        from latseg.pretraining import pretrain

        others = [WorkspaceFolder(Path(path)) for path in more]
        return pretrain(self.folder, others, Path(output) if output else self.folder.prior_folder(), seed)

    def feasibility(
        self,
        *,
        budgets: BudgetsByDevice,
        max_parameters: str | int = "0.4M",
        space: str = "portrait",
        sizes: Sequence[Size] | None = None,
        classes: int = 2,
        samples: int = 1000,
        threads: int | None = None,
        seed: int = 0,
    ) -> Feasibility:
        """What share of a search space keeps the budgets, and how far down the space reaches.

        >>> found = workspace.feasibility(budgets={"simulated:noise=0.02": "100ms"}, samples=50, sizes=["128x128"])
        >>> 0 < found.feasible_fraction <= 1
        True

        Args:
            budgets: latency limit by device.
            max_parameters: limit on parameters.
            space: search space.
            sizes: input sizes; all of the space by default.
            classes: number of classes.
            samples: random nets to check.
            threads: of the runtimes.
            seed: of the sampling.

        Raises:
            InfeasibleError: no net keeps the budgets; it names the smallest reachable values.
            UserError: a budget is malformed, or a device has no predictor yet.
        """
        from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
        from search.constraints.feasibility import feasibility
        from search.constraints.infeasible import require_feasible
        from search.spaces.registry import open_space

        devices = {name: _get_device(name, threads) for name in budgets}
        limits_ms = {name: as_latency_ms(limit) for name, limit in budgets.items()}
        parameters = ParameterBudget(as_parameters(max_parameters))
        latencies = (
            LatencyBudget(name, limit_ms, self.folder.predictor(devices[name], self.warn))
            for name, limit_ms in limits_ms.items()
        )
        opened = Budgets(parameters, tuple(latencies))
        within = open_space(space, classes=classes, sizes=as_sizes(sizes))
        with self.progress("limits") as report:
            found = feasibility(within, opened, samples=samples, seed=seed, on_progress=report)
        require_feasible(opened, found)
        return found

    def search(
        self,
        *,
        budgets: BudgetsByDevice,
        data: str | DataOptions,
        max_parameters: str | int = "0.4M",
        space: str = "portrait",
        sizes: Sequence[Size] | None = None,
        strategy: str = "evolution",
        evaluator: str | None = None,
        supernet: str | None = None,
        trials: int | None = None,
        winners: int = 1,
        calibration_nets: int = 10,
        training: TrainingOptions | None = None,
        threads: int | None = None,
        portable: Sequence[str] = (),
        allow_fallback: bool = False,
        seed: int = 0,
        tensorboard: str | Path | None = None,
        cluster: str | None = None,
        wandb: str | None = None,
        optuna_storage: str | None = None,
        start: bool = True,
    ) -> RunHandle:
        """Searches the best net within the budgets; winners are measured on the devices, and certified or rejected.

        An interrupted search is continued by ``workspace.run(ID).search()``.

        >>> run.winners[0].status
        'uncertified (simulated)'

        Args:
            budgets: latency limit by device; all of them must hold.
            data: ``synthetic``, ``folder:PATH``, ..., or a ``DataOptions`` with size and count.
            max_parameters: limit on parameters.
            space: search space.
            sizes: input sizes of the nets; by default the search chooses them, too.
            strategy: search strategy, with options after a colon: ``evolution:population=32``; several joined by ``|``
                take turns.
            evaluator: how nets are compared; by default ``pretrained`` for ``portrait``.
            supernet: id of an earlier run whose supernet or short trainings are used, and whose evaluator is the
                default then. It had the same space, data and training.
            trials: nets to evaluate; by default as many as suit the evaluator, 200 or, with ``pretrained``, 2000.
            winners: nets to certify.
            calibration_nets: random nets near each latency budget that are measured first, to calibrate the bound.
            training: amounts of training (``search.options.TrainingOptions``).
            threads: of the runtimes.
            portable: targets that must run every operator of a net, such as ``qnn``; nothing is measured there.
            allow_fallback: accept operators that run there on another compute unit.
            seed: of every random choice.
            tensorboard: folder for TensorBoard logs, as of ``RunHandle.search``.
            wandb: project of Weights & Biases, as of ``RunHandle.search``.
            optuna_storage: URL of an Optuna storage, as of ``RunHandle.search``.
            cluster: a Ray cluster that trains the candidates, as of ``RunHandle.search``.
            start: False leaves the start to ``search`` on the returned handle.

        Raises:
            InfeasibleError: no net keeps the budgets; raised before anything is trained.
            UserError: an argument is malformed, a device has no predictor yet, or the data cannot be read.
            DeviceUnavailableError: a device cannot be used here.
        """
        from search.earlier_run import with_preparation_of
        from search.run_config import RunConfig, read_config
        from search.spaces.registry import SPACES

        SPACES.parse(space)
        earlier = None if supernet is None else read_config(self.folder.run(supernet))
        latencies = {name: as_latency_ms(limit) for name, limit in budgets.items()}
        config = RunConfig.create(
            BudgetOptions(
                latency_ms=latencies,
                parameters=as_parameters(max_parameters),
                threads=threads,
                portable=tuple(portable),
                allow_fallback=allow_fallback,
            ),
            DataOptions(source=data) if isinstance(data, str) else data,
            training,
            SearchOptions(
                space=space,
                sizes=as_sizes(sizes),
                strategy=strategy,
                evaluator=evaluator if earlier is None else evaluator or earlier.evaluator,
                supernet=supernet,
                trials=trials,
                winners=winners,
                calibration_nets=calibration_nets,
                seed=seed,
            ),
        )
        if earlier is not None:
            config = with_preparation_of(self.folder.run(earlier.run), earlier, config)
        config = config.model_copy(update={"command": search_command(config, self.path)})
        run = RunHandle(self, self.folder.runs() / config.run, new=config)
        if start:
            run.search(tensorboard=tensorboard, wandb=wandb, optuna_storage=optuna_storage, cluster=cluster)
        return run

    def curve(
        self,
        device: str,
        budgets: Sequence[str | float],
        *,
        tensorboard: str | Path | None = None,
        cluster: str | None = None,
        wandb: str | None = None,
        optuna_storage: str | None = None,
        start: bool = True,
        **options: Any,
    ) -> CurveHandle:
        """Searches the best net within each of several budgets of one device: a run for each, the largest first.

        What the evaluator trains is trained once. Trials of a larger budget that keep a smaller one count there, too,
        and no net is evaluated twice. ``workspace.curve_of(run).search()`` continues an interrupted search.

        Args:
            device: its name, with options after a colon.
            budgets: latency limits, for example ``["1ms", "2ms", "4ms"]``.
            tensorboard: as of ``search``.
            cluster: as of ``search``.
            wandb: as of ``search``.
            optuna_storage: as of ``search``.
            start: False leaves the start to ``search`` on the returned handle.
            **options: all other arguments of ``search``; numbers of trials and winners are those of each budget.

        Raises:
            InfeasibleError: no net keeps any of the budgets.
            UserError: as ``search``.
        """
        from latseg.curve_handle import CurveHandle
        from search.curve import with_curve

        limits_ms = [as_latency_ms(limit) for limit in budgets]
        single = self.search(budgets={device: max(limits_ms, default=1.0)}, start=False, **options)
        config = with_curve(single.config, limits_ms)
        config = config.model_copy(update={"command": search_command(config, self.path)})
        curve = CurveHandle(self, config)
        if start:
            curve.search(tensorboard=tensorboard, cluster=cluster, wandb=wandb, optuna_storage=optuna_storage)
        return curve

    def curve_of(self, run: RunHandle) -> CurveHandle | None:
        """The search for several budgets to which a run belongs; None where it stands alone."""
        from latseg.curve_handle import CurveHandle

        return CurveHandle(self, run.config) if run.config.curve else None

    def check_data(self, data: str | DataOptions, *, sheet: str | Path | None = None, seed: int = 0) -> DataCheck:
        """Reads every pair of a data source, and says what it holds and what is wrong with it.

        >>> workspace.check_data("synthetic:8").usable
        True

        Args:
            data: ``synthetic``, ``folder:PATH``, ..., or a ``DataOptions`` with size and count.
            sheet: PNG for a few pairs with their masks laid over them; by default none.
            seed: of the split.

        Raises:
            UserError: ``sheet`` cannot be written.
        """
        from latseg.data_check import check_source

        options = DataOptions(source=data) if isinstance(data, str) else data
        with self.progress("data") as report:
            return check_source(options, None if sheet is None else Path(sheet), seed, report)

    def evaluate(
        self,
        target: str | Path,
        data: str | None = None,
        *,
        part: str = "test",
        size: tuple[int, int] | None = None,
        count: int | None = None,
        resize_masks: bool = False,
        normalisation: str | None = None,
        seed: int = 0,
    ) -> Evaluation:
        """Scores on pairs that were held out: every trained winner of a run, a bundle, or any ONNX file.

        Args:
            target: id of a run, folder of a bundle, or an ONNX file.
            data: ``folder:PATH``, ...; by default that of the run.
            part: ``train``, ``validation`` or ``test``.
            size: height and width at which masks are compared; by default the run's, or 256 x 256.
            count: use at most so many pairs.
            resize_masks: resize masks whose size is not that of their image.
            normalisation: of an ONNX file from elsewhere, as ``segmentation.normalisation.NORMALISATIONS`` names it.
            seed: of the split; a run has its own.

        Raises:
            UserError: no such run, bundle or file, data of other classes, or a part without pairs.
        """
        from latseg.evaluate_target import evaluate_target

        given = None if data is None else DataOptions(source=data, count=count, resize_masks=resize_masks)
        return evaluate_target(self, target, given, part, size, normalisation, seed)

    def export(
        self,
        model: str | Path,
        output: str | Path | None = None,
        *,
        formats: Sequence[str] = (),
        budgets: BudgetsByDevice | None = None,
        threads: int | None = None,
        shapes: Shapes | None = None,
        sign: str | Path | None = None,
        seed: int = 0,
    ) -> Bundle:
        """Writes any ONNX file in other formats and compares them with ONNX Runtime.

        Each file is run by the device of its format; where that is not here, or the format has none (``coreml``), the
        manifest says that it was not executed, and why.

        >>> bundle = workspace.export(example_model, formats=["openvino"])
        >>> bundle.verify(measure=False).ok
        True

        Args:
            model: the ONNX file.
            output: folder of the bundle; ``NAME-bundle`` beside the model by default.
            formats: as those of a run's ``export``; ``onnx`` is always there.
            budgets: latency limit by device; without any, no latency is measured or promised.
            threads: of the runtimes of these budgets.
            shapes: of inputs with dynamic axes, by name; all files have these shapes.
            sign: file of the SSH key that signs the bundle.
            seed: of the random inputs and of the order of the runs.

        Raises:
            UserError: not a model, an unknown format or one that needs a network of torch, a file that computes
                something else, or a folder that holds something else.
        """
        from latseg.file_export import export_file

        path = Path(model)
        return export_file(
            self,
            path,
            path.with_name(f"{path.stem}-bundle") if output is None else Path(output),
            formats=formats,
            budgets_ms={name: as_latency_ms(limit) for name, limit in (budgets or {}).items()},
            threads=threads,
            shapes=shapes or {},
            sign=None if sign is None else Path(sign).expanduser(),
            seed=seed,
        )

    def network(
        self,
        network: str,
        *,
        data: str | DataOptions,
        size: Size,
        training: TrainingOptions | None = None,
        seed: int = 0,
    ) -> RunHandle:
        """A run of one known network, to be compared with a searched one: ``train`` it, then ``export`` it.

        It is trained with the teacher, the augmentation and the settings of a winner, and certified like one.

        >>> unet = workspace.network("unet:width=2", data="synthetic:8", size="64x64")
        >>> unet.network.space
        'unet:width=2'

        Args:
            network: its name, with options after a colon: ``unet:width=32``.
            data: ``synthetic``, ``folder:PATH``, ..., or a ``DataOptions`` with size and count.
            size: height and width of its input.
            training: amounts of training; of the network itself ``winner_epochs``.
            seed: of every random choice.

        Raises:
            UserError: no such network or option, a malformed size, a batch of one image, or the data cannot be read.
        """
        from search.run_config import RunConfig
        from segmentation.baselines.registry import NETWORKS

        NETWORKS.parse(network)
        if training is not None and training.batch_size < 2:
            raise UserError(
                "batch size", seen=training.batch_size, expected="at least 2, for batch normalisation",
                remedy="give a larger one",
            )  # fmt: skip
        config = RunConfig.create(
            None,
            DataOptions(source=data) if isinstance(data, str) else data,
            training,
            SearchOptions(space=network, sizes=(as_size(size),), trials=1, winners=1, calibration_nets=0, seed=seed),
        )
        config = config.model_copy(update={"command": network_command(config, self.path)})
        return RunHandle(self, self.folder.runs() / config.run, new=config)

    def analyse(
        self,
        log: str | Path,
        *others: str | Path,
        out: str | Path | None = None,
        columns: Mapping[str, str] | None = None,
        max_parameters: str | int = "0.4M",
        seed: int = 0,
    ) -> SearchAnalysis:
        """What searches did, in words and pictures; several are compared.

        >>> workspace.analyse(run.id).folder == run.path / "analysis"
        True

        Args:
            log: id of a run of this workspace, folder of another run, or CSV file.
            others: more of them, to be compared.
            out: as of ``latseg.analyse``, as the arguments after it.
            columns: of CSV files: name of the column by role.
            max_parameters: limit with which the trials of CSV files are compared.
            seed: of the permutations by which the importance of slots is corrected for chance.

        Raises:
            UserError: a log cannot be read or has no trials, or the folder cannot be written.
        """
        known = self.runs
        paths = [self.folder.run(str(each)) if str(each) in known else Path(each) for each in (log, *others)]
        return analyse(*paths, out=out, columns=columns, max_parameters=max_parameters, seed=seed)

    def doctor(self, *, repair: bool = False) -> WorkspaceHealth:
        """Checks whether the files of the workspace are as they were written.

        >>> workspace.doctor().ok
        True

        Args:
            repair: replace damaged stores by new ones with what can be read; the old ones stay as ``NAME.damaged-N``.

        Raises:
            UserError: no such folder, or a repair cannot write.
        """
        from latseg.workspace_health import check_workspace

        return check_workspace(self.folder, repair=repair)

    def run(self, run_id: str) -> RunHandle:
        """A run of this workspace.

        Raises:
            UserError: no such run, or its file cannot be read.
        """
        return RunHandle(self, self.folder.run(run_id))

    @property
    def runs(self) -> list[str]:
        """Ids of the runs, the oldest first."""
        return self.folder.run_ids()


def _get_device(text: str, threads: int | None) -> Device:
    from devices.registry import get_device

    return get_device(text, threads=threads)
