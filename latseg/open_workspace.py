"""What the handles of a workspace share: its folder, its progress and its warnings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from foundation.progress import OnProgress
from latseg.progress_bar import ProgressOption, shown_progress
from latseg.workspace_folder import DEFAULT_WORKSPACE, WorkspaceFolder, for_workspace


class OpenWorkspace:
    """Base of ``latseg.Workspace``, which has the same arguments."""

    def __init__(
        self,
        path: str | Path = DEFAULT_WORKSPACE,
        *,
        progress: ProgressOption = False,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = WorkspaceFolder(Path(path), self.warn)
        self._progress = progress
        self._on_warning = on_warning

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.root

    def progress(self, description: str) -> AbstractContextManager[OnProgress]:
        """The callback for one piece of long work, shown as the workspace's ``progress`` says."""
        return shown_progress(description, self._progress)

    def warn(self, text: str) -> None:
        """Passes a warning on."""
        if self._on_warning is None:
            warnings.warn(for_workspace(text, self.path), UserWarning, stacklevel=3)
        else:
            self._on_warning(text)
