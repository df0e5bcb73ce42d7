"""A run: the trials and winners of a search or a known network, their training, their bundles, and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UserError
from foundation.progress import OnProgress, Progress
from latseg.bundle import Bundle
from latseg.units import BudgetsByDevice, as_latency_ms

if TYPE_CHECKING:
    from latseg.analysis import SearchAnalysis
    from latseg.evaluation import Evaluation, Part
    from latseg.followers import Follower
    from latseg.open_workspace import OpenWorkspace
    from latseg.transfers import TransferredNet
    from search.architecture import Architecture
    from search.loop import SearchResult
    from search.options import DataOptions
    from search.run_config import RunConfig
    from search.run_context import RunContext
    from search.tasks.task import Quality, Trained
    from search.trial import Trial
    from search.winners.training import KnownNet

DEFAULT_FORMATS = ("onnx", "onnx-dynamic", "onnx-uint8")


class RunHandle:
    """What ``Workspace.search``, ``Workspace.network`` and ``Workspace.run`` return.

    >>> workspace.run(run.id).config.trials == run.config.trials
    True
    """

    def __init__(self, workspace: OpenWorkspace, path: Path, *, new: RunConfig | None = None) -> None:
        self.workspace = workspace
        self.path = path
        self._new = new
        self.result: SearchResult | None = None
        """What the last ``search`` of this handle found."""

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.path.name

    @cached_property
    def config(self) -> RunConfig:
        """The run's options, as they were checked when it began."""
        from search.run_config import read_config

        return self._new or read_config(self.path)

    @property
    def network(self) -> Architecture | None:
        """The known network of this run; None for the run of a search."""
        from search.spaces.registry import is_network, open_nets

        if not is_network(self.config.space):
            return None
        return open_nets(self.config.space, sizes=self.config.sizes).smallest()[0]

    def search(
        self,
        *,
        training_device: str | None = None,
        tensorboard: str | Path | None = None,
        cluster: str | None = None,
        wandb: str | None = None,
        optuna_storage: str | None = None,
        on_first_look: Callable[[Path], None] | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> SearchResult:
        """Starts the search, or continues it where it was interrupted.

        Args:
            training_device: as of ``train``.
            tensorboard: folder for TensorBoard logs of the trials, and of what is trained as of ``train``.
            wandb: project of Weights & Biases for the same curves.
            optuna_storage: URL of an Optuna storage, such as ``sqlite:///trials.db``, into which every trial is
                written; optuna-dashboard shows it while the search runs.
            cluster: a Ray cluster that trains the candidates: ``auto``, or the ``HOST:PORT`` of its head.
            on_first_look: called before anything is measured or trained, with the path of a PNG that shows a few
                labelled examples of the data; not called where the task has none.
            on_note: called after that with each sentence on a teacher that the user brought.

        Raises:
            InfeasibleError: no net keeps the budgets; raised before anything is trained.
            UserError: a device is another one than when the run began, or the data or the cluster cannot be used.
        """
        from latseg.followers import mirrors, trackers
        from search.cluster.connect import cluster_workers
        from search.first_look import write_first_look
        from search.launch import launch

        self._require_search()
        self._fetch_teacher(self.config)
        config = self._trained_with(None, None, training_device)
        followers = trackers(config, tensorboard, wandb)
        followers += mirrors(config, self.path, optuna_storage, self.workspace.warn)
        with (
            cluster_workers(cluster, config) as workers,
            self._opened(f"search {self.id}", config=config, followers=followers) as context,
        ):
            folder = self.workspace.folder
            budgets = context.budgets(lambda device: folder.predictor(device, self.workspace.warn))
            self._write_new()
            first_look = write_first_look(context)
            if first_look is not None and on_first_look is not None:
                on_first_look(first_look)
            _tell(on_note, context.task.compare_teacher(context.on_progress))
            self.result = launch(context, budgets, workers=workers)
        return self.result

    @property
    def trials(self) -> list[Trial]:
        """The nets that were evaluated, in their order.

        >>> all(trial.parameters <= run.config.max_parameters for trial in run.trials)
        True
        """
        from search.run_folder import RunFolder
        from search.trials import TrialStore

        self._require_search()
        with TrialStore(RunFolder(self.path).trials) as store:
            return store.trials()

    @property
    def winners(self) -> list[Trial]:
        """Nets whose measured latency keeps every budget, best quality first; simulated devices certify none."""
        from search.winners.selection import won

        return won(self.trials)[: self.config.winners]

    def train(
        self,
        winner: Trial | str | None = None,
        *,
        epochs: int | None = None,
        teacher: str | None = None,
        unlabelled: str | Path | None = None,
        training_device: str | None = None,
        tensorboard: str | Path | None = None,
        wandb: str | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> TrainedWinner:
        """Trains a winner in full, or the run's known network, with its teacher; continues where it was interrupted.

        >>> trained = run.train(run.winners[0])
        >>> 0 <= trained.quality.value <= 1
        True

        Args:
            winner: a trial of this run, or its id; None for the run's known network.
            epochs: passes over the data; by default the run's.
            teacher: a net of your own, ``FILE[:KEY=VALUE,...]``; by default the run's teacher.
            unlabelled: folder of photographs without masks; by default the run's.
            training_device: ``cpu``, ``cuda`` or ``cuda:NUMBER``; by default the run's.
            tensorboard: folder for TensorBoard logs: loss, learning rate and mean IoU on the validation part. They are
                in ``RUN/STAGE`` of it, for example ``RUN/teacher``.
            wandb: project of Weights & Biases for the same curves.
            on_note: called with each sentence on a teacher that you brought, and on how the training went.

        Raises:
            UserError: no such trial, or the device rejected it.
        """
        from latseg.followers import trackers
        from search.winners.training import find_net, train_net

        config = self._trained_with(teacher, unlabelled, training_device)
        self._fetch_teacher(config)
        with self._opened("train", config=config, followers=trackers(config, tensorboard, wandb)) as context:
            self._write_new()
            net = find_net(context, _id(winner))
            _tell(on_note, context.task.compare_teacher(context.on_progress))
            result = train_net(context, net, epochs=epochs)
            _tell(on_note, result.notes)
            checkpoint = context.folder.training(net.id)
            return TrainedWinner(self, net, result, context.task.data, checkpoint)

    def transfer(
        self,
        data: str | DataOptions,
        winner: Trial | str | None = None,
        *,
        epochs: int | None = None,
        teacher_epochs: int | None = None,
        from_scratch: bool = False,
        predicted: bool = False,
        seed: int | None = None,
        training_device: str | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> TransferredNet:
        """Trains a net of this run for another task; continues where it was interrupted.

        Data with masks of other classes give the net a new head. Classified pictures (``images:PATH``, ``svhn:PATH``)
        take its encoder alone, with a linear layer behind it, and train it without a teacher.

        Args:
            data: of the other task.
            winner: a trial of this run, or its id; by default the best winner, or the run's known network.
            epochs: passes over the data; by default the run's.
            teacher_epochs: of the teacher, which is trained on the other data; by default the run's.
            from_scratch: begin with random weights, and not with those of the winner, which must be trained.
            predicted: predict the latency on the devices of the run instead of measuring it.
            seed: of every random choice; by default the run's, which splits a folder as the run did if the count of
                the data is the run's, too.
            training_device: as of ``train``.
            on_note: called with each sentence on how the data are read and how the training went.

        Raises:
            UserError: no such trial, a winner that was not trained, or data that cannot be read.
        """
        from latseg.transfers import TransferredNet
        from search.options import DataOptions
        from search.transfers.transfer import TransferOptions, transfer
        from search.winners.training import best_net, find_net

        config = self._trained_with(None, None, training_device)
        with self._opened(f"transfer {self.id}", config=config) as context:
            net = best_net(context) if winner is None else find_net(context, _id(winner))
            options = TransferOptions(
                DataOptions(source=data) if isinstance(data, str) else data,
                self.config.seed if seed is None else seed,
                epochs=epochs,
                teacher_epochs=teacher_epochs,
                from_scratch=from_scratch,
                predicted=predicted,
            )
            folder = self.workspace.folder
            result = transfer(
                context,
                net.architecture,
                options,
                predictor_of=lambda device: folder.predictor(device, self.workspace.warn),
                on_note=on_note or (lambda _: None),
            )
        return TransferredNet(self.id, result)

    def _fetch_teacher(self, config: RunConfig) -> None:
        """Says what is fetched of a teacher that has a name, and fetches it."""
        from search.teachers.known import announcement, fetched

        note = announcement(config.training.teacher)
        if note is not None:
            self.workspace.warn(note)
            fetched(str(config.training.teacher).partition(":")[0])

    def _trained_with(self, teacher: str | None, unlabelled: str | Path | None, device: str | None) -> RunConfig:
        """The run with another teacher, other photographs without masks or another training device."""
        from search.teachers.resolve import resolved

        taught = {"teacher": teacher, "unlabelled": None if unlabelled is None else str(unlabelled)}
        given = {name: value for name, value in (taught | {"device": device}).items() if value is not None}
        before = self.config.training
        training = before.model_validate(before.model_dump() | given)
        if given.keys() & taught.keys():
            training = resolved(training)
        return self.config.model_copy(update={"training": training})

    def export(
        self,
        winner: Trial | str | None = None,
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        sign: str | Path | None = None,
        budgets: BudgetsByDevice | None = None,
        threads: int | None = None,
    ) -> Bundle:
        """Exports a trained net, measures that very file on the devices, and writes the bundle.

        Args:
            winner: a trial of this run, or its id; None for the run's known network.
            formats: of the model files.
            sign: file of the SSH key that signs the bundle.
            budgets: latency limit by device; by default those of the search. A known network has none.
            threads: of the runtimes of these budgets.

        Raises:
            UserError: it was not trained, there is no budget, a format is unknown, or the bundle cannot be signed.
        """
        from export.bundle.signature import check_signing
        from latseg.run_commands import bundle_command
        from search.run_config import TargetDevice
        from search.shared_run import shared_folder, shared_run
        from search.winners.export import export_winner
        from search.winners.training import find_net

        key = None if sign is None else Path(sign).expanduser()
        if key is not None:
            check_signing(key)
        config, root = self.config, self.workspace.path
        if budgets:
            limits_ms = {name: as_latency_ms(limit) for name, limit in budgets.items()}
            config = config.model_copy(update={"targets": TargetDevice.of_each(limits_ms, threads)})
        with self._opened("export", config=config) as context:
            net = find_net(context, _id(winner))
            command = bundle_command(shared_run(config), shared_folder(root), net.id, with_budgets=bool(budgets))
            export_winner(context, net.architecture, formats=formats, command=command, sign=key)
            return Bundle(context.folder.bundle(net.id), workspace=root)

    def evaluate(
        self, data: DataOptions | None = None, *, part: Part = "test", size: tuple[int, int] | None = None
    ) -> Evaluation:
        """Scores of every winner that was trained in full, on pairs that were held out.

        Args:
            data: by default those of the run.
            part: of the data.
            size: height and width at which masks are compared; by default the run's.

        Raises:
            UserError: no trained winner, data of other classes, or a part without pairs.
        """
        from latseg.evaluation import evaluate_run

        with self._opened(f"evaluate {self.id}", read_only=True) as context:
            own = context.config.task_options(self.path).data
            options = (data or own).model_copy(update={"size": size or own.size})
            return evaluate_run(context, options, part, self.workspace.warn)

    def analyse(self, *, out: str | Path | None = None, seed: int = 0) -> SearchAnalysis:
        """What the search did, in words and pictures; writes pictures and tables.

        >>> [path.name for path in run.analyse().pictures][:2]
        ['best_so_far.png', 'best_so_far.svg']

        Args:
            out: folder; by default ``analysis`` in the run's folder.
            seed: of the permutations by which the importance of slots is corrected for chance.

        Raises:
            UserError: the run has evaluated no nets yet, a file of it is damaged, or the folder cannot be written.
        """
        from latseg.analysis import analyse

        self._require_search()
        return analyse(self.path, out=out, seed=seed)

    def report(
        self,
        *,
        photographs: bool = False,
        output: str | Path | None = None,
        segmented: str | Path | None = None,
    ) -> Path:
        """Writes one self-contained HTML file and returns its path. Nothing else is written.

        >>> run.report().name
        'report.html'

        Args:
            photographs: show masks on photographs; by default only on synthetic images.
            output: the file; by default ``report.html`` in the run's folder.
            segmented: folder that ``latseg segment`` wrote; its pictures are shown, too.

        Raises:
            UserError: the run has evaluated no nets yet, a file that is shown is damaged, or the page cannot be
                written.
        """
        from latseg.report.write import write_report
        from search.run_folder import RunFolder

        self._require_search()
        path = RunFolder(self.path).report if output is None else Path(output)
        with self._opened("report", read_only=True) as context:
            shown = None if segmented is None else Path(segmented)
            write_report(context, self.workspace.folder, path, photographs=photographs, segmented=shown)
        return path

    @contextmanager
    def _opened(
        self,
        description: str,
        *,
        read_only: bool = False,
        config: RunConfig | None = None,
        followers: Sequence[Follower] = (),
    ) -> Iterator[RunContext]:
        from search.run_context import RunContext

        folder = self.workspace.folder
        with ExitStack() as stack:
            store = stack.enter_context(folder.store(read_only=read_only))
            shown = stack.enter_context(self.workspace.progress(description))

            def report(moment: Progress) -> None:
                shown(_progress(moment))

            told: OnProgress = report
            for follower in followers:
                told = stack.enter_context(follower(told))
            yield RunContext.open(self.path, config or self.config, store, told)

    def _write_new(self) -> None:
        from search.run_config import write_config

        if self._new is not None:
            write_config(self.path, self._new)
            self._new = None

    def _require_search(self) -> None:
        """Raises ``UserError`` where this is the run of a known network."""
        if self.network is not None:
            raise UserError(
                f"run {self.id}", seen=f"the run of one network, {self.network.space}", expected="the run of a search",
                remedy=f"continue with `latseg train {self.id}` or `latseg export {self.id}`",
            )  # fmt: skip


@dataclass(frozen=True)
class TrainedWinner:
    """A winner, or a known network, after its full training."""

    run: RunHandle
    trial: Trial | KnownNet
    result: Trained
    data: str
    """The data that it was trained on."""
    checkpoint: Path
    """File of the weights."""

    @property
    def quality(self) -> Quality:
        """On the validation images."""
        return self.result.quality

    def export(
        self,
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        sign: str | Path | None = None,
        budgets: BudgetsByDevice | None = None,
        threads: int | None = None,
    ) -> Bundle:
        """Exports the net, measures that very file on the devices, and writes the bundle, as ``RunHandle.export``.

        >>> bundle = run.train(run.winners[0]).export(formats=["onnx"])
        >>> bundle.certified
        False

        Raises:
            UserError: there is no budget, a format is unknown, or the exported file does not compute what the net
                computes.
        """
        return self.run.export(self.trial.id, formats=formats, sign=sign, budgets=budgets, threads=threads)


def _id(winner: Trial | str | None) -> str | None:
    return winner if winner is None or isinstance(winner, str) else winner.id


def _progress(progress: Progress) -> Progress:
    """The best net so far and the rejected candidates, as a note."""
    from search.progress import SearchProgress

    if not isinstance(progress, SearchProgress):
        return progress
    parts = []
    if progress.best_quality is not None:
        parts.append(f"best quality {100 * progress.best_quality:.1f} %")
    parts += [f"{ms:.2f} ms on {device}" for device, ms in progress.best_latency_ms.items()]
    rejected = sum(progress.rejected.values())
    if rejected:
        parts.append(f"{rejected} rejected before training")
    if progress.note:
        parts.append(progress.note)
    return Progress(progress.stage, progress.done, progress.total, ", ".join(parts))


def _tell(on_note: Callable[[str], None] | None, notes: Sequence[str]) -> None:
    if on_note is not None:
        for note in notes:
            on_note(note)
