"""A search for several budgets of one device: its runs, and the best networks within each budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latseg.run_handle import RunHandle

if TYPE_CHECKING:
    from latseg.open_workspace import OpenWorkspace
    from search.constraints.infeasible import InfeasibleError
    from search.curve import CurveRow
    from search.loop import SearchResult
    from search.run_config import RunConfig


class CurveHandle:
    """What ``Workspace.curve`` returns, and ``Workspace.curve_of`` of each of its runs.

    Args:
        workspace: of the runs.
        config: of any run of the curve.
    """

    def __init__(self, workspace: OpenWorkspace, config: RunConfig) -> None:
        self.workspace = workspace
        self._config = config
        self.results: dict[str, SearchResult | InfeasibleError] = {}
        """By run: what the last ``search`` of this handle found, or why no network keeps the run's budget."""

    @property
    def runs(self) -> list[RunHandle]:
        """One for each budget, the largest first; all options but the budget are equal."""
        return [self._run(point.run) for point in self._config.curve]

    @property
    def rows(self) -> list[CurveRow]:
        """The best networks within each budget, the smallest budget first, as far as the runs have come.

        A network of a smaller budget counts for the larger ones, too: the quality never falls from row to row.
        """
        from search.curve import curve_rows

        return curve_rows(self.workspace.folder.runs(), self._config)

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
    ) -> list[CurveRow]:
        """Starts the search, or continues it where it was interrupted; the arguments are those of ``RunHandle.search``.

        A budget that no network keeps does not stop the others.

        Returns:
            ``rows``.

        Raises:
            InfeasibleError: no budget is kept by a network; it is that of the largest one.
            UserError: as ``RunHandle.search``.
        """
        from search.constraints.infeasible import InfeasibleError

        everywhere: dict[str, Any] = {
            "training_device": training_device,
            "tensorboard": tensorboard,
            "cluster": cluster,
            "wandb": wandb,
            "optuna_storage": optuna_storage,
        }
        once: dict[str, Any] = {"on_first_look": on_first_look, "on_note": on_note}
        for run in self.runs:
            try:
                self.results[run.id] = run.search(**everywhere, **once)
            except InfeasibleError as error:
                self.results[run.id] = error
            once = {}  # what they would say of the other runs is the same
        errors = [found for found in self.results.values() if isinstance(found, InfeasibleError)]
        if len(errors) == len(self.results):
            raise errors[0]
        return self.rows

    def _run(self, name: str) -> RunHandle:
        """The run as it is stored, or new as it follows from the others."""
        from search.curve import of_point

        path = self.workspace.folder.runs() / name
        if (path / "run.json").is_file():
            return RunHandle(self.workspace, path)
        (point,) = (point for point in self._config.curve if point.run == name)
        return RunHandle(self.workspace, path, new=of_point(self._config, point))
