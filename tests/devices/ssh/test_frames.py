import os
import struct

import pytest

from devices.ssh.frames import Frame, read_exactly, read_frame, write_frame


@pytest.mark.parametrize("content", [b"", b"\n\0", bytes(range(256)) * 100])
def test_frames_go_through_a_pipe_one_by_one(content: bytes) -> None:
    reading, writing = os.pipe()
    frames = [Frame("put", {"path": "a/ü\n"}, content), Frame("end")]
    for frame in frames:
        write_frame(writing, frame)
    assert [read_frame(lambda size: read_exactly(reading, size)) for _ in frames] == frames
    os.close(writing)
    with pytest.raises(EOFError):
        read_frame(lambda size: read_exactly(reading, size))
    os.close(reading)


@pytest.mark.parametrize(("header", "content"), [(1 << 30, 0), (2, 1 << 40)])
def test_sizes_that_nobody_sends_are_refused(header: int, content: int) -> None:
    sizes = struct.pack(">IQ", header, content)
    with pytest.raises(ValueError, match="a frame of"):
        read_frame(lambda size: sizes[:size])


@pytest.mark.parametrize("header", [b"[]", b"{}", b"1", b"{"])
def test_what_is_no_frame_is_a_value_error(header: bytes) -> None:
    pieces = iter([struct.pack(">IQ", len(header), 0), header, b""])
    with pytest.raises(ValueError, match=r"a frame that begins|Expecting"):
        read_frame(lambda _: next(pieces))


def test_a_side_that_stops_in_the_middle_is_given_up() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, b"1234")
    with pytest.raises(TimeoutError, match=r"no byte came within 0\.05 s"):
        read_exactly(reading, 5, 0.05)
    with pytest.raises(TimeoutError, match=r"no byte was taken within 0\.05 s"):
        write_frame(writing, Frame("put", content=bytes(1 << 20)), 0.05)
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        write_frame(writing, Frame("end"), 0.05)
    os.close(writing)
