"""The outcome of verifying something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    undecided: bool = False
    """Failed, but for a reason outside of what was looked at: a machine too busy, or a budget too close, to tell."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Every check of a bundle."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing failed."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def undecided(self) -> bool:
        """Whether nothing failed but checks for which the machine was too busy, or the budget too close, to tell."""
        return not self.ok and bool(self.checks) and all(check.ok or check.undecided for check in self.checks)
