"""Values of inputs as the command line takes them: ``NAME=VALUE`` and ``FILE.npz``."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UserError
from foundation.regular_file import PICTURE_BYTES, open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = dict[str, NDArray[np.generic]]

_OPTION = "--input"
_EXPECTED = "NAME=VALUE (a number, numbers separated by commas, or a text) or FILE.npz"


def parse_inputs(texts: Sequence[str] | None) -> Values:
    """Texts such as ``ratio=0.5``, ``size=64,64`` and ``inputs.npz`` as arrays by name of the input.

    Raises:
        UserError: another form, or a file that cannot be read.
    """
    values: Values = {}
    for text in texts or ():
        if text.endswith(".npz"):
            values.update(_from_file(Path(text)))
            continue
        name, equals, value = text.strip().rpartition("=")
        if not (name and equals and value):
            raise UserError(_OPTION, seen=repr(text), expected=_EXPECTED, remedy="write for example ratio=0.5")
        values[name] = _parsed(value)
    return values


def _parsed(text: str) -> NDArray[np.generic]:
    import numpy as np

    words = text.split(",")
    numbers = [_number(word) for word in words]
    if any(number is None for number in numbers):
        return np.array(words if len(words) > 1 else words[0], dtype=np.str_)
    return np.array(numbers if len(numbers) > 1 else numbers[0])


def _number(text: str) -> int | float | bool | None:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if abs(number) < 2**63 and "_" not in text else None
    return None


def _from_file(path: Path) -> Values:
    import numpy as np

    try:
        with open_regular(path, limit=PICTURE_BYTES) as file, zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > PICTURE_BYTES:
                raise ValueError(f"{unpacked:,} bytes unpacked, more than {PICTURE_BYTES:,}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
    except OSError as error:
        seen = f"{path} ({error.strerror or error})"
    except Exception as error:  # a damaged archive raises errors of many classes
        seen = f"{path} ({' '.join(str(error).split())[:120] or type(error).__name__})"
    raise UserError(_OPTION, seen=seen, expected="a file of numpy.savez", remedy="write it with numpy.savez")
