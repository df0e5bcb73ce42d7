"""What bundles and reports, which are passed on, tell of a run: folders by their names, not by their places."""

from __future__ import annotations

from pathlib import Path

from devices.ssh.address import SCHEME
from search.run_config import RunConfig
from search.teachers.options import read_teacher


def shared_run(config: RunConfig) -> RunConfig:
    """The run with the folder of its data cut to its name, also where a note names it; ``run.json`` keeps the place.

    ``folder:/home/me/PHOTOS?resize-masks`` becomes ``folder:PHOTOS?resize-masks``. The same holds for the file of a
    teacher, for the folder of photographs without masks, and for the file that names the devices of a pool.
    """
    kind, colon, text = config.data.partition(":")
    path, mark, options = text.partition("?")
    places, data, training = [], config.data, config.training
    if Path(path).is_absolute():
        places.append(path)
        data = f"{kind}{colon}{shared_folder(Path(path)).name}{mark}{options}"
    if training.unlabelled is not None:
        places.append(training.unlabelled)
        training = training.model_copy(update={"unlabelled": shared_folder(Path(training.unlabelled)).name})
    if training.teacher is not None:
        training = training.model_copy(update={"teacher": _shared_teacher(training.teacher)})
    notes = config.data_notes
    for place in places:
        notes = tuple(note.replace(place, shared_folder(Path(place)).name) for note in notes)
    targets = tuple(target.model_copy(update={"device": _shared_device(target.device)}) for target in config.targets)
    return config.model_copy(update={"data": data, "data_notes": notes, "training": training, "targets": targets})


def shared_folder(folder: Path) -> Path:
    """A folder by its name where its place is written in full."""
    return Path(folder.name) if folder.is_absolute() else folder


def _shared_teacher(text: str) -> str:
    options = read_teacher(text)
    return options.model_copy(update={"file": Path(options.file).name}).text


def _shared_device(text: str) -> str:
    kind, colon, place = text.partition(":")
    place = place.removeprefix("file=")
    is_file = place.startswith("/") and not text.startswith(SCHEME)
    return f"{kind}{colon}{Path(place).name}" if is_file else text
