"""Checks what a user feeds to a model, and tells of a runtime's refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.worker.session import SessionError
from foundation.errors import UserError


def checked_feeds(
    inputs: Mapping[str, NDArray[np.generic]], expected: Sequence[tuple[str, Sequence[int | str | None]]]
) -> dict[str, NDArray[np.generic]]:
    """The arrays for a model's inputs; dimensions that are not integers take any size.

    Raises:
        UserError: an input is missing, unknown, or of another shape.
    """
    names = [name for name, _ in expected]
    for name in sorted(set(names) ^ set(inputs)):
        remedy = f"feed exactly {', '.join(names)}"
        raise UserError(
            f"input {name!r}", seen="nothing" if name in names else "a value", expected=remedy, remedy=remedy
        )
    for name, shape in expected:
        seen = inputs[name].shape
        fits = len(seen) == len(shape) and all(
            not isinstance(wanted, int) or wanted == got for wanted, got in zip(shape, seen, strict=True)
        )
        if not fits:
            wanted = "x".join(str(size) if isinstance(size, int) else "?" for size in shape)
            raise UserError(
                f"shape of input {name!r}", seen="x".join(map(str, seen)), expected=wanted, remedy="resize the input"
            )
    return dict(inputs)


def refused(path: Path, error: SessionError) -> UserError:
    """A runtime that does not take or does not finish a valid model."""
    return UserError(
        f"model {path}", seen=str(error), expected="operators that the runtime supports", remedy="replace the operator"
    )
