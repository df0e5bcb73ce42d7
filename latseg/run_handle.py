"""A run of a search: its trials and winners, their training, their bundles, and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.progress import Progress
from latseg.bundle import Bundle
from latseg.workspace_folder import command_line

if TYPE_CHECKING:
    from latseg.evaluation import Evaluation, Part
    from latseg.open_workspace import OpenWorkspace
    from search.loop import SearchResult
    from search.options import DataOptions
    from search.run_config import RunConfig
    from search.run_context import RunContext
    from search.tasks.task import Quality, Trained
    from search.trial import Trial

DEFAULT_FORMATS = ("onnx", "onnx-dynamic", "onnx-uint8")


class RunHandle:
    """What ``Workspace.search`` and ``Workspace.run`` return.

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

    def search(
        self,
        *,
        on_first_look: Callable[[Path], None] | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> SearchResult:
        """Starts the search, or continues it where it was interrupted.

        Args:
            on_first_look: called before anything is measured or trained, with the path of a PNG that shows a few
                labelled examples of the data; not called where the task has none.
            on_note: called after that with each sentence on a teacher that the user brought.

        Raises:
            InfeasibleError: no net keeps the budgets; raised before anything is trained.
            UserError: a device is another one than when the run began, or the data cannot be read.
        """
        from search.first_look import write_first_look
        from search.launch import launch
        from search.run_config import write_config

        self._fetch_teacher(self.config)
        with self._opened(f"search {self.id}") as context:
            folder = self.workspace.folder
            budgets = context.budgets(lambda device: folder.predictor(device, self.workspace.warn))
            if self._new is not None:
                write_config(self.path, self._new)
                self._new = None
            first_look = write_first_look(context)
            if first_look is not None and on_first_look is not None:
                on_first_look(first_look)
            _tell(on_note, context.task.compare_teacher(context.on_progress))
            self.result = launch(context, budgets)
        return self.result

    @property
    def trials(self) -> list[Trial]:
        """The nets that were evaluated, in their order.

        >>> all(trial.parameters <= run.config.max_parameters for trial in run.trials)
        True
        """
        from search.run_folder import RunFolder
        from search.trials import TrialStore

        with TrialStore(RunFolder(self.path).trials) as store:
            return store.trials()

    @property
    def winners(self) -> list[Trial]:
        """Nets whose measured latency keeps every budget, best quality first; simulated devices certify none."""
        from search.winners.selection import won

        return won(self.trials)[: self.config.winners]

    def train(
        self,
        winner: Trial | str,
        *,
        epochs: int | None = None,
        teacher: str | None = None,
        unlabelled: str | Path | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> TrainedWinner:
        """Trains a winner in full, with its teacher; continues where it was interrupted.

        >>> trained = run.train(run.winners[0])
        >>> 0 <= trained.quality.value <= 1
        True

        Args:
            winner: a trial of this run, or its id.
            epochs: passes over the data; by default the run's.
            teacher: a net of your own, ``FILE[:KEY=VALUE,...]``; by default the run's teacher.
            unlabelled: folder of photographs without masks; by default the run's.
            on_note: called with each sentence on a teacher that you brought, and on how the training went.

        Raises:
            UserError: no such trial, or the device rejected it.
        """
        from search.winners.training import find_trial, train_winner

        config = self._taught(teacher, unlabelled)
        self._fetch_teacher(config)
        with self._opened("train", config=config) as context:
            trial = find_trial(context, _id(winner))
            _tell(on_note, context.task.compare_teacher(context.on_progress))
            result = train_winner(context, trial, epochs=epochs)
            _tell(on_note, result.notes)
            checkpoint = context.folder.training(trial.id)
            return TrainedWinner(self, trial, result, context.task.data, checkpoint)

    def _fetch_teacher(self, config: RunConfig) -> None:
        """Says what is fetched of a teacher that has a name, and fetches it."""
        from search.teachers.known import announcement, fetched

        note = announcement(config.training.teacher)
        if note is not None:
            self.workspace.warn(note)
            fetched(str(config.training.teacher).partition(":")[0])

    def _taught(self, teacher: str | None, unlabelled: str | Path | None) -> RunConfig:
        """The run with another teacher or other photographs without masks."""
        from search.teachers.resolve import resolved

        given = {"teacher": teacher, "unlabelled": None if unlabelled is None else str(unlabelled)}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            return self.config
        training = resolved(self.config.training.model_copy(update=changes))
        return self.config.model_copy(update={"training": training})

    def export(
        self, winner: Trial | str, *, formats: Sequence[str] = DEFAULT_FORMATS, sign: str | Path | None = None
    ) -> Bundle:
        """Exports a trained winner, measures that very file on the devices, and writes the bundle.

        Args:
            winner: a trial of this run, or its id.
            formats: of the model files.
            sign: file of the SSH key that signs the bundle.

        Raises:
            UserError: it was not trained, a format is unknown, or the bundle cannot be signed.
        """
        from export.bundle.signature import check_signing
        from latseg.search_command import search_command
        from search.shared_run import shared_folder, shared_run
        from search.winners.export import export_winner
        from search.winners.training import find_trial

        key = None if sign is None else Path(sign).expanduser()
        if key is not None:
            check_signing(key)
        root = self.workspace.path
        told = shared_folder(root)
        lines = [command_line(told, command, "RUN", "--winner", _id(winner)) for command in ("train", "export")]
        with self._opened("export") as context:
            trial = find_trial(context, _id(winner))
            reproduce = " && ".join([search_command(shared_run(self.config), told), *lines])
            export_winner(context, trial, formats=formats, command=reproduce, sign=key)
            return Bundle(context.folder.bundle(trial.id), workspace=root)

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

    def report(self, *, photographs: bool = False, output: str | Path | None = None) -> Path:
        """Writes one self-contained HTML file and returns its path. Nothing else is written.

        >>> run.report().name
        'report.html'

        Args:
            photographs: show example masks on photographs; by default only on synthetic images.
            output: the file; by default ``report.html`` in the run's folder.

        Raises:
            UserError: the run has evaluated no nets yet, or the file cannot be written.
        """
        from latseg.report.write import write_report
        from search.run_folder import RunFolder

        path = RunFolder(self.path).report if output is None else Path(output)
        with self._opened("report", read_only=True) as context:
            write_report(context, self.workspace.folder, path, photographs=photographs)
        return path

    @contextmanager
    def _opened(
        self, description: str, *, read_only: bool = False, config: RunConfig | None = None
    ) -> Iterator[RunContext]:
        from search.run_context import RunContext

        folder = self.workspace.folder
        with folder.store(read_only=read_only) as store, self.workspace.progress(description) as report:
            config = config or self.config
            yield RunContext.open(self.path, config, store, lambda moment: report(_progress(moment)))


@dataclass(frozen=True)
class TrainedWinner:
    """A winner after its full training."""

    run: RunHandle
    trial: Trial
    result: Trained
    data: str
    """The data that it was trained on."""
    checkpoint: Path
    """File of the weights."""

    @property
    def quality(self) -> Quality:
        """On the validation images."""
        return self.result.quality

    def export(self, *, formats: Sequence[str] = DEFAULT_FORMATS, sign: str | Path | None = None) -> Bundle:
        """Exports the net, measures that very file on the devices, and writes the bundle.

        >>> bundle = run.train(run.winners[0]).export(formats=["onnx"])
        >>> bundle.certified
        False

        Raises:
            UserError: a format is unknown, or the exported file does not compute what the net computes.
        """
        return self.run.export(self.trial, formats=formats, sign=sign)


def _id(winner: Trial | str) -> str:
    return winner if isinstance(winner, str) else winner.id


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
