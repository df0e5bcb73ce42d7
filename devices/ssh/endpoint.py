"""Where ssh would connect to, so that two names of one machine are known as such."""

from __future__ import annotations

import subprocess
from functools import cache

from devices.ssh.address import SCHEME, SshAddress

_PROGRAM = ("ssh", "-G")
_LOOKUP_S = 10.0
_PORT = "22"
_ROUTE = ("proxyjump", "proxycommand")


@cache
def endpoint(address: SshAddress) -> str:
    """The machine's own host and port, and the way to it where that is no direct one, as ``ssh -G`` tells them.

    Aliases and defaults of ``~/.ssh/config`` are resolved; names are not looked up, and nothing is connected to. Where
    there is no such answer, what the address itself says.
    """
    found = _configured(address)
    host = found.get("hostname", address.host.strip("[]")).lower()
    port = found.get("port", str(address.port or _PORT))
    route = "".join(f" by {found[key]}" for key in _ROUTE if found.get(key, "none") != "none")
    return f"{SCHEME}{host}:{port}{route}"


def _configured(address: SshAddress) -> dict[str, str]:
    """The settings of ssh for this address, by name in small letters."""
    try:
        told = subprocess.run(
            [*_PROGRAM, *address.words], stdin=subprocess.DEVNULL, capture_output=True, timeout=_LOOKUP_S, check=True
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = (line.partition(" ") for line in told.splitlines())
    return {name: value for name, _, value in pairs}
