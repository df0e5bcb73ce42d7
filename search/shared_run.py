"""What bundles and reports, which are passed on, tell of a run: folders by their names, not by their places."""

from __future__ import annotations

from pathlib import Path

from search.run_config import RunConfig


def shared_run(config: RunConfig) -> RunConfig:
    """The run with the folder of its data cut to its name, also where a note names it; ``run.json`` keeps the place.

    ``folder:/home/me/PHOTOS?resize-masks`` becomes ``folder:PHOTOS?resize-masks``.
    """
    kind, colon, text = config.data.partition(":")
    path, mark, options = text.partition("?")
    if not Path(path).is_absolute():
        return config
    name = shared_folder(Path(path)).name
    notes = tuple(note.replace(path, name) for note in config.data_notes)
    return config.model_copy(update={"data": f"{kind}{colon}{name}{mark}{options}", "data_notes": notes})


def shared_folder(folder: Path) -> Path:
    """A folder by its name where its place is written in full."""
    return Path(folder.name) if folder.is_absolute() else folder
