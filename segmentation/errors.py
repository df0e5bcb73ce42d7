"""The error of a user's making in data, networks and training: one line that says how to mend it."""

from __future__ import annotations


class DataError(Exception):
    """Bad data, told in one line: what is wrong, the value seen, the value expected, the remedy.

    The same shape as ``devices.errors.UserError``; kept apart because ``segmentation`` imports nothing of ours.
    """

    exit_code: int = 2

    def __init__(self, what: str, *, seen: object, expected: str, remedy: str) -> None:
        self.what = what
        self.seen = seen
        self.expected = expected
        self.remedy = remedy
        line = f"{what}: got {seen}; expected {expected}; {remedy}"
        super().__init__(" ".join(line.split()))
