"""Errors of a user's making: one line with what is wrong, the value seen, the value expected and the remedy."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or an unmet demand, told in one line; ``exit_code`` is the process's exit code.

    Args:
        what: the thing that is wrong, e.g. ``"model file"``.
        seen: the value received.
        expected: the value that would have been accepted.
        remedy: what the user can do about it.
    """

    exit_code: int = 2

    def __init__(self, what: str, *, seen: object, expected: str, remedy: str) -> None:
        self.what = what
        self.seen = seen
        self.expected = expected
        self.remedy = remedy
        line = f"{what}: got {seen}; expected {expected}; {remedy}"
        super().__init__(" ".join(line.split()))


class DeviceUnavailableError(UserError):
    """The device cannot be used on this machine (runtime missing, no such hardware)."""

    exit_code = 5


def first_line(error: BaseException) -> str:
    """The first line of what an error of a library says; the name of its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
