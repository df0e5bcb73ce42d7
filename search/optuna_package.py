"""The package Optuna: imported at first use, and quiet while it works for a search."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from foundation.errors import UserError
from search.spaces.space import Slot

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def import_optuna() -> ModuleType:
    """The package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import cmaes  # noqa: F401 - Optuna imports it when CMA-ES begins
        import optuna
    except ImportError as error:
        raise UserError(
            "Optuna", seen=f"no such package ({error})", expected="the packages optuna and cmaes",
            remedy='run pip install "latseg[optuna]"',
        ) from error  # fmt: skip
    return optuna


@contextmanager
def quiet_optuna() -> Iterator[ModuleType]:
    """The package, which inside the block logs nothing but errors and does not say which samplers are experimental.

    Raises:
        UserError: it is not installed.
    """
    optuna = import_optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def distributions(slots: Sequence[Slot], *, categories: bool) -> dict[str, BaseDistribution]:
    """Of each slot: an integer, or a category where it has no order and ``categories`` are wanted."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    return {
        slot.name: IntDistribution(0, slot.choices - 1)
        if slot.ordered or not categories
        else CategoricalDistribution(range(slot.choices))
        for slot in slots
    }
