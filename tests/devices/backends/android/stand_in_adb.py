"""A program that stands in for adb and one phone: what it is asked is appended to ``asked`` beside it.

A file ``failure`` holds what it says when it fails; ``properties`` those of the phone as JSON, ``package`` what
``dumpsys package`` prints. ``am start`` opens the address in the browser that ``browser`` names, if there is one.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
FLAGS = ("--headless", "--disable-gpu", "--no-sandbox", "--no-first-run", "--disable-background-networking")


def main(words: list[str]) -> None:
    with (HERE / "asked").open("a") as asked:
        asked.write(json.dumps(words) + "\n")
    failure = HERE / "failure"
    if failure.exists():
        sys.exit(f"error: {failure.read_text()}")
    match words[2:] if words[0] == "-s" else words:
        case ["get-state"]:
            say("device")
        case ["reverse", there, here]:
            (HERE / "ports").write_text(json.dumps([there.removeprefix("tcp:"), here.removeprefix("tcp:")]))
        case ["shell", line]:
            on_the_phone(shlex.split(line))
        case other:
            sys.exit(f"error: unknown command {other}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def on_the_phone(words: list[str]) -> None:
    match words:
        case ["getprop", name]:
            say(json.loads((HERE / "properties").read_text()).get(name, ""))
        case ["dumpsys", "package", "com.android.chrome"]:
            say((HERE / "package").read_text())
        case ["am", "start", *options]:
            say("Starting: Intent { act=android.intent.action.VIEW }")
            show(options[options.index("-d") + 1])
        case ["input", "keyevent", "KEYCODE_WAKEUP"]:
            pass
        case other:
            sys.exit(f"/system/bin/sh: {other[0]}: inaccessible or not found")


def show(address: str) -> None:
    """In one tab: the page before is closed."""
    browser = HERE / "browser"
    if not browser.exists():
        return
    close()
    there, here = json.loads((HERE / "ports").read_text())
    profile = f"--user-data-dir={HERE / 'profile'}"
    command = [browser.read_text(), *FLAGS, profile, re.sub(f":{there}/", f":{here}/", address)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    (HERE / "shown").write_text(str(process.pid))


def close() -> None:
    shown = HERE / "shown"
    if shown.exists():
        with suppress(ProcessLookupError):
            os.killpg(int(shown.read_text()), signal.SIGKILL)
        shown.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
