"""What travels over the channel between a parent and the agent: a few named values and bytes."""

from __future__ import annotations

import json
import os
import select
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_SIZES = struct.Struct(">IQ")
_HEADER_BYTES = 1 << 20
_CONTENT_BYTES = (1 << 31) + (1 << 20)
"""The largest model, or the outputs of an inference, with the names of arrays."""


@dataclass(frozen=True, slots=True)
class Frame:
    """``kind`` says what the receiver does with ``values`` (plain JSON) and ``content``."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    content: bytes = b""


def write_frame(descriptor: int, frame: Frame, limit_s: float | None = None) -> None:
    """Writes all of it, as ``write_exactly``."""
    header = json.dumps({"kind": frame.kind, "values": frame.values}).encode()
    write_exactly(descriptor, _SIZES.pack(len(header), len(frame.content)) + header, limit_s)
    write_exactly(descriptor, frame.content, limit_s)


def read_frame(read: Callable[[int], bytes]) -> Frame:
    """Reads one, and not a byte more.

    Args:
        read: gives so many bytes, not fewer.

    Raises:
        ValueError: no frame, or a larger one than any that is sent.
    """
    header_bytes, content_bytes = _SIZES.unpack(read(_SIZES.size))
    if header_bytes > _HEADER_BYTES or content_bytes > _CONTENT_BYTES:
        raise ValueError(f"a frame of {header_bytes:,} and {content_bytes:,} bytes")
    header = json.loads(read(header_bytes))
    try:
        return Frame(header["kind"], header["values"], read(content_bytes))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a frame that begins with {header!r:.60}") from error


def write_exactly(descriptor: int, content: bytes, limit_s: float | None = None) -> None:
    """Writes all bytes.

    Args:
        descriptor: of a pipe; with a limit, one that does not block.
        content: the bytes.
        limit_s: seconds in which at least one byte must go through.

    Raises:
        BrokenPipeError: the other side has closed the channel.
        TimeoutError: the other side does not read.
    """
    rest = memoryview(content)
    while rest:
        if not select.select([], [descriptor], [], limit_s)[1]:
            raise TimeoutError(f"no byte was taken within {limit_s:g} s")
        rest = rest[os.write(descriptor, rest) :]


def read_exactly(descriptor: int, size: int, limit_s: float | None = None) -> bytes:
    """So many bytes.

    Args:
        descriptor: of a pipe.
        size: number of bytes.
        limit_s: seconds in which at least one byte must come.

    Raises:
        EOFError: the other side has closed the channel.
        TimeoutError: the other side does not write.
    """
    content = bytearray()
    while len(content) < size:
        if not select.select([descriptor], [], [], limit_s)[0]:
            raise TimeoutError(f"no byte came within {limit_s:g} s")
        piece = os.read(descriptor, min(size - len(content), 1 << 20))
        if not piece:
            raise EOFError
        content += piece
    return bytes(content)
