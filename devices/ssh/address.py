"""Names of devices on other machines: ``ssh://[USER@]HOST[:PORT]/DEVICE``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from foundation.errors import UserError

SCHEME = "ssh://"
FORM = f"{SCHEME}[USER@]HOST[:PORT]/DEVICE"
"""What a user writes; DEVICE is the name of a device of this package, with its options."""
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
"""Never an option of ssh, never a word of a shell."""
_ADDRESS = re.compile(rf"(?:(?P<user>{_NAME})@)?(?P<host>{_NAME}|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")


@dataclass(frozen=True, slots=True)
class SshAddress:
    """A machine that the user's own ssh client reaches; ``host`` may be an alias of ``~/.ssh/config``."""

    host: str
    user: str = ""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> tuple[Self, str]:
        """The machine and the device on it that ``text`` (see ``FORM``) names.

        Raises:
            UserError: it has another form.
        """
        place, slash, device = text.removeprefix(SCHEME).partition("/")
        found = _ADDRESS.fullmatch(place)
        port = int(found["port"]) if found and found["port"] else None
        if not (text.startswith(SCHEME) and found and slash and device) or port not in (None, *range(1, 1 << 16)):
            raise UserError(
                f"device {text!r}", seen="no machine with a device on it", expected=FORM,
                remedy=f"write for example {SCHEME}board/cpu:threads=2",
            )  # fmt: skip
        return cls(found["host"], found["user"] or "", port), device

    @property
    def words(self) -> tuple[str, ...]:
        """Arguments of ``ssh`` that name the machine."""
        port = () if self.port is None else ("-p", str(self.port))
        return (*port, "--", f"{self.user}@" * bool(self.user) + self.host.strip("[]"))

    def __str__(self) -> str:
        user, port = f"{self.user}@" * bool(self.user), "" if self.port is None else f":{self.port}"
        return f"{SCHEME}{user}{self.host}{port}"
