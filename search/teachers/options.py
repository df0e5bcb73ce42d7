"""What the user says of a teacher: ``FILE[:KEY=VALUE,...]``, or a JSON file with the same keys and ``file``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from foundation.errors import UserError
from foundation.regular_file import read_json
from search.options import Options, Size

_JOINT = "/"
"""Between the numbers of one value; commas stand between the keys."""
_RANGE = re.compile(r"(\d+)-(\d+)")
_LAST = 65535
"""Largest number of a channel."""


def _parts(value: Any) -> Any:
    """``0.5/0.4/0.3`` as its parts."""
    return value.split(_JOINT) if isinstance(value, str) else value


def _numbers(value: Any) -> Any:
    """``1-3/7`` as 1, 2, 3, 7; one number as itself alone."""
    if isinstance(value, int):
        return (value,)
    numbers: list[Any] = []
    for part in _parts(value):
        found = _RANGE.fullmatch(str(part))
        last = int(found[2]) if found else 0
        numbers += range(int(found[1]), last + 1) if found and last <= _LAST else [part]
    return tuple(numbers)


def _colour(value: Any) -> Any:
    """One number stands for all three channels."""
    parts = [value] if isinstance(value, int | float) else _parts(value)
    return tuple(parts) * 3 if len(parts) == 1 else tuple(parts)


def _size(value: Any) -> Any:
    sides = value.lower().split("x") if isinstance(value, str) else value
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        raise ValueError("HEIGHTxWIDTH in pixels")
    return tuple(sides)


Channel = Annotated[int, Field(ge=0, le=_LAST)]
Channels = Annotated[tuple[Channel, ...], BeforeValidator(_numbers), Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TeacherOptions(Options):
    """A teacher's file and what is known of it; the rest is found out from the file and a few labelled pictures.

    Raises:
        UserError: a value out of range.
    """

    file: str
    """Path of an ONNX or a TFLite file, or the name of a known teacher."""
    size: Annotated[Size, BeforeValidator(_size)] | None = None
    """Height and width of the input."""
    layout: Literal["nchw", "nhwc"] | None = None
    """Whether the colour channels come before or after height and width."""
    channels: Literal["rgb", "bgr"] | None = None
    """Order of the colour channels."""
    mean: Annotated[tuple[Number, Number, Number], BeforeValidator(_colour)] | None = None
    """Of red, green and blue in 0..1; the input is ``(x - mean) / std``."""
    std: Annotated[tuple[Positive, Positive, Positive], BeforeValidator(_colour)] | None = None
    """As ``mean``; 1/255 for a net that takes 0..255."""
    output: Annotated[int, Field(ge=0)] | None = None
    """Number of the output that is the segmentation, from 0."""
    values: Literal["logits", "probabilities", "classes"] | None = None
    """What the output holds; ``classes`` are class numbers."""
    person: Channels | None = None
    """For data with two classes: the output's channels (or class numbers) that are the second one."""
    classes: Channels | None = None
    """For data with more classes: the output's channel of each of them."""

    @property
    def given(self) -> dict[str, Any]:
        """What was said besides the file."""
        return {key: getattr(self, key) for key in KEYS if getattr(self, key) is not None}

    @property
    def text(self) -> str:
        """``FILE[:KEY=VALUE,...]``, which reads as the same options."""
        return self.file + (f":{written(self.given)}" if self.given else "")


KEYS = tuple(key for key in TeacherOptions.model_fields if key != "file")


def written(given: Mapping[str, Any]) -> str:
    """``KEY=VALUE,...``."""
    return ",".join(f"{key}={_written(key, value)}" for key, value in given.items())


def _written(key: str, value: Any) -> str:
    if key == "size":
        return "x".join(map(str, value))
    if key == "person":
        return _JOINT.join(_runs(value))
    return _JOINT.join(f"{part:.10g}" for part in value) if isinstance(value, tuple) else str(value)


def _runs(numbers: tuple[int, ...]) -> list[str]:
    """Numbers that follow each other as ``first-last``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]


def read_teacher(text: str) -> TeacherOptions:
    """The options that ``text`` names; paths become absolute.

    Raises:
        UserError: an unknown key, a value out of range, or a JSON file that cannot be read.
    """
    file, pairs = _split(text)
    document = _known(file)
    values = {**document, **dict(_pair(text, pair) for pair in pairs.split(",") if pair)}
    unknown = sorted(set(values) - {"file", *KEYS})
    if unknown:
        raise UserError(
            f"teacher {file}", seen=f"the key {unknown[0]!r}", expected=f"one of {', '.join(KEYS)}", remedy="correct it"
        )
    try:
        return TeacherOptions.model_validate(values)
    except UserError as error:
        raise UserError(
            f"teacher {file}, {error.what}", seen=error.seen, expected=error.expected,
            remedy="write for example FILE:size=256x256,mean=0.5,std=0.5,person=1",
        ) from error  # fmt: skip


def _split(text: str) -> tuple[str, str]:
    """File and ``KEY=VALUE,...``; a file that exists may have such a name itself."""
    file, colon, pairs = text.rpartition(":")
    if Path(text).exists() or not colon or "=" not in pairs:
        return text, ""
    return file, pairs


def _pair(text: str, pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not (key and equals and value):
        raise UserError(f"teacher {text}", seen=repr(pair), expected="KEY=VALUE", remedy="write FILE:KEY=VALUE,...")
    return key.strip(), value.strip()


def _document(path: Path) -> dict[str, Any]:
    """The content of a JSON file; the teacher's file is named relative to it."""
    expected = 'an object such as {"file": "net.onnx", "size": [256, 256]}'
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"teacher {path}", seen=reason, expected=expected, remedy="check the file") from error
    if not isinstance(document, dict) or not isinstance(document.get("file"), str):
        seen = json.dumps(document)[:80]
        raise UserError(f"teacher {path}", seen=seen, expected=expected, remedy="add the key file")
    return {**document, "file": str(path.absolute().parent / document["file"])}


def _known(file: str) -> dict[str, Any]:
    """What a name, a JSON file or the path of a net says."""
    from search.teachers.known import KNOWN

    if file in KNOWN:
        return {"file": file, **KNOWN[file].options}
    if file.lower().endswith(".json"):
        return _document(Path(file))
    return {"file": str(Path(file).expanduser().absolute())}
