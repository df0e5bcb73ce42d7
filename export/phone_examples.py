"""Examples in Kotlin and Swift that segment pictures with a file of the bundle."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from string import Template

from devices.backends.litert.device import FILE_NAME
from export.source import INPUT_NAME, LOGITS_NAME, Pictures

KOTLIN_NAME = "LiteRtSegmenter.kt"
SWIFT_NAME = "CoreMlSegmenter.swift"
COREML_FILE_NAME = "model.mlpackage.zip"


def kotlin_example(pictures: Pictures, size: tuple[int, int], *, channels_last: bool) -> str:
    """A class for Android; ``size`` is height and width of the network's input, and logits may be channels last."""
    height, width = size
    return _template("litert_example.txt").substitute(
        file=FILE_NAME,
        height=height,
        width=width,
        classes=_literals(pictures.classes, '"\\$', _kotlin_escape),
        mean=", ".join(f"{each}f" for each in pictures.normalisation.mean),
        std=", ".join(f"{each}f" for each in pictures.normalisation.std),
        channels_last=str(channels_last).lower(),
    )


def swift_example(pictures: Pictures, size: tuple[int, int]) -> str:
    """A class for Apple's systems; ``size`` is height and width of the network's input."""
    height, width = size
    return _template("coreml_example.txt").substitute(
        file=COREML_FILE_NAME,
        height=height,
        width=width,
        input=INPUT_NAME,
        output=LOGITS_NAME,
        classes=_literals(pictures.classes, '"\\', lambda each: f"\\u{{{ord(each):x}}}"),
        mean=", ".join(map(str, pictures.normalisation.mean)),
        std=", ".join(map(str, pictures.normalisation.std)),
    )


def _template(name: str) -> Template:
    return Template(files("export").joinpath(name).read_text(encoding="utf-8"))


def _literals(texts: Iterable[str], special: str, escape: Callable[[str], str]) -> str:
    """String literals; ``special`` holds what ends one or begins an expression in it."""
    escaped = (
        "".join(escape(each) if each in special or not each.isprintable() else each for each in text) for text in texts
    )
    return ", ".join(f'"{text}"' for text in escaped)


def _kotlin_escape(character: str) -> str:
    """Kotlin names the units of UTF-16, of which a character may need two."""
    return re.sub("(....)", r"\\u\1", character.encode("utf-16-be").hex())
