"""Android's debug bridge: the program ``adb`` and one phone behind it.

Source: "Android Debug Bridge" of the developer pages; ``am``, ``getprop`` and ``dumpsys`` are programs of Android.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from shutil import which

_TIMEOUT_S = 30.0
_CHROME = "com.android.chrome"
_VERSION = re.compile(r"versionName=(\d+)")
_WAKE_UP = "KEYCODE_WAKEUP"
_ONE_TAB = "com.android.browser.application_id"
"""Chrome opens all addresses with the same value of this extra in one tab (``android.provider.Browser``)."""


class AdbError(OSError):
    """What adb, or a program on the phone, says of its failure."""


def find_adb() -> str | None:
    """Path of adb; None where there is none on the path."""
    return which("adb")


class Phone:
    """A phone that adb reaches.

    Args:
        serial: as ``adb devices`` lists it; empty for the only one.
    """

    def __init__(self, serial: str) -> None:
        self._words = ("-s", serial) if serial else ()

    def state(self) -> str:
        """``device`` where it can be used.

        Raises:
            AdbError: it is not connected, or has not allowed this computer.
        """
        return self._adb("get-state")

    def property(self, name: str) -> str:
        """A property of the system, such as ``ro.product.model``; empty where it has none.

        Raises:
            AdbError: the phone does not answer.
        """
        return self._shell("getprop", name)

    def chrome_version(self) -> str:
        """Main version of Chrome; empty where it is not installed.

        Raises:
            AdbError: the phone does not answer.
        """
        found = _VERSION.search(self._shell("dumpsys", "package", _CHROME))
        return found[1] if found else ""

    def reverse(self, port_there: int, port_here: int) -> None:
        """Connections to a port of the phone come to a port of this machine, in place of what was said before.

        Raises:
            AdbError: the phone does not answer, or the port is taken there.
        """
        self._adb("reverse", f"tcp:{port_there}", f"tcp:{port_here}")

    def open(self, address: str) -> None:
        """Wakes the screen and shows the address in Chrome, in the tab of the address before.

        Raises:
            AdbError: the phone does not answer, or Chrome does not start.
        """
        self._shell("input", "keyevent", _WAKE_UP)
        said = self._shell(
            *(
                "am",
                "start",
                "-a",
                "android.intent.action.VIEW",
                "-p",
                _CHROME,
                "--es",
                _ONE_TAB,
                "latseg",
                "-d",
                address,
            )
        )
        if "Error" in said:  # its exit code is 0
            raise AdbError(said.splitlines()[-1])

    def _shell(self, *words: str) -> str:
        return self._adb("shell", shlex.join(words))

    def _adb(self, *words: str) -> str:
        try:
            done = subprocess.run(
                [find_adb() or "adb", *self._words, *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise AdbError(f"no answer within {_TIMEOUT_S:g} s") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
            raise AdbError(said[-1].removeprefix("error: ")[:200])
        return done.stdout.strip()
