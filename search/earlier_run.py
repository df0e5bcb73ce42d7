"""What the evaluator of an earlier run prepared, such as a supernet, copied into a new run instead of trained anew.

It is copied and not referred to, so that either run can be deleted. ``run.json`` of the new run holds the SHA-256 of
each copied file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from devices.model_file import sha256_of
from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES, RefusedFileError, read_regular
from search.evaluators.evaluator import Preparation
from search.evaluators.registry import EVALUATORS
from search.run_config import DATA, SHIPPED_ENCODER, SHIPPED_SUPERNET, RunConfig
from search.run_folder import RunFolder
from search.trials import TrialStore

_DATA = ("data", "data_size", "data_count", "resize_masks", "data_test", "seed", "classes")
"""Fields of a run that say which data it learned from; the seed splits them."""
_SPACE = ("space", "space_version", "sizes")


def with_preparation_of(folder: Path, earlier: RunConfig, new: RunConfig) -> RunConfig:
    """The new run, which names the files that it takes from ``folder``; nothing is copied yet.

    Raises:
        UserError: the earlier run has not prepared its evaluator, or did it for another space, for other data, or with
            other options.
    """
    preparation = _preparation(earlier)
    _require_same(preparation, earlier, new)
    path = RunFolder(folder).trials
    if not path.is_file() or not _has_trials(path):
        raise _unusable(
            earlier.run, "a run that has evaluated no net", "one with a finished preparation",
            f"continue it first: `latseg search --resume {earlier.run}`",
        )  # fmt: skip
    files = [folder / name for name in preparation.files if (folder / name).is_file()]
    copied = {_key(path.name, earlier.run): sha256_of(path) for path in files}
    return new.model_copy(update={"versions": new.versions | copied})


def take_preparation(config: RunConfig, folder: Path, others: Sequence[Path] = ()) -> None:
    """Copies into the run's folder what its evaluator need not prepare; a file that is there already stays.

    Args:
        config: the run.
        folder: of the run; its earlier run lies beside it.
        others: folders of runs with equal options, whose files are taken first.

    Raises:
        UserError: a file of the earlier run is missing, or another one than when this run was made.
    """
    found = EVALUATORS.parse(config.evaluator)[0].preparation if config.evaluator else None
    for name in () if found is None else found.files:
        if (folder / name).exists():
            continue
        known = next((other / name for other in others if (other / name).is_file()), None)
        wanted = None if config.supernet is None else config.versions.get(_key(name, config.supernet))
        if known is not None:
            _copy(known, folder / name, config.run)
        elif wanted is not None:
            source = folder.parent / str(config.supernet) / name
            _require_unchanged(source, wanted, str(config.supernet))
            _copy(source, folder / name, config.run)


def _preparation(earlier: RunConfig) -> Preparation:
    found = EVALUATORS.parse(earlier.evaluator)[0].preparation if earlier.evaluator else None
    if found is None:
        raise _unusable(
            earlier.run, f"the evaluator {earlier.evaluator}", "an evaluator that trains something before the search",
            "leave --supernet out, or name another run",
        )  # fmt: skip
    return found


def _require_same(preparation: Preparation, earlier: RunConfig, new: RunConfig) -> None:
    if EVALUATORS.parse(str(earlier.evaluator)) != EVALUATORS.parse(str(new.evaluator)):
        raise _unlike(earlier.run, "evaluator", earlier.evaluator, new.evaluator)
    for names, before, now in (
        (_SPACE + _DATA, earlier.model_dump(), new.model_dump()),
        (preparation.training, earlier.training.model_dump(), new.training.model_dump()),
        ((DATA, SHIPPED_SUPERNET, SHIPPED_ENCODER), earlier.versions, new.versions),
    ):
        _require_equal(earlier.run, names, before, now)


def _require_equal(run: str, names: Sequence[str], before: Mapping[str, object], now: Mapping[str, object]) -> None:
    for name in names:
        if before.get(name) != now.get(name):
            raise _unlike(run, name.replace("_", " "), before.get(name), now.get(name))


def _has_trials(path: Path) -> bool:
    with TrialStore(path, read_only=True) as store:
        return bool(store.trials())


def _require_unchanged(source: Path, wanted: str, run: str) -> None:
    if not source.is_file() or sha256_of(source) != wanted:
        raise _unusable(
            run, f"no such {source.name} any more", "the file that was there when the search began",
            "start a new search",
        )  # fmt: skip


def _copy(source: Path, target: Path, run: str) -> None:
    try:
        write_file(target, read_regular(source, limit=MODEL_BYTES))
    except RefusedFileError as error:
        raise _unusable(run, f"{source} ({error.strerror})", "a regular file", "start a new search") from error


def _key(name: str, run: str) -> str:
    """In ``versions``."""
    return f"{name} of {run}"


def _unlike(run: str, what: str, before: object, now: object) -> UserError:
    return _unusable(
        run, f"{what} {_text(before)}", f"{what} {_text(now)}, as of the new search",
        "give the new search the options of that run, or leave --supernet out",
    )  # fmt: skip


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _unusable(run: str, seen: str, expected: str, remedy: str) -> UserError:
    return UserError(f"--supernet {run}", seen=seen, expected=expected, remedy=remedy)
