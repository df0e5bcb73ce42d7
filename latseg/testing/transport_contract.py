"""What every transport must do. Subclass, name the class ``Test…``, and give a ``transport`` fixture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from devices.model_inputs import ModelInput
from devices.protocol import MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.worker import messages
from devices.worker.runtime import ModelFile
from devices.worker.transport import Transport

RUNTIME = "devices.backends.ort.runtime:OnnxRuntime"
LONG_S = 60.0


class TransportContract:
    """The conformance suite of ``devices.worker.transport.Transport``; it runs workers with ONNX Runtime."""

    @pytest.fixture
    def started(self, transport: Transport) -> Transport:
        transport.start(RUNTIME, 1)
        return transport

    def test_a_request_is_answered(self, started: Transport) -> None:
        started.send(messages.encode(messages.Load(started.put(REFERENCE_NET), LONG_S)))
        loaded = next(answer for answer in _answers(started) if not isinstance(answer, messages.Step))
        assert isinstance(loaded, messages.Loaded)
        assert loaded.inputs == (("image", (1, 3, 192, 192)),)

    def test_files_go_there_and_back(self, started: Transport, tmp_path: Path) -> None:
        path = tmp_path / "numbers.bin"
        path.write_bytes(bytes(range(256)))
        assert started.get(started.put(path)).read_bytes() == bytes(range(256))

    def test_parts_keep_their_places_beside_their_file(self, started: Transport, tmp_path: Path) -> None:
        for name in ("model.bin", "weights/first.bin"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(name)
        there = started.put(tmp_path / "model.bin", [tmp_path / "weights" / "first.bin"])
        assert started.get(there).read_text() == "model.bin"
        assert started.get(str(Path(there).parent / "weights" / "first.bin")).read_text() == "weights/first.bin"

    def test_what_was_discarded_can_be_brought_again(self, started: Transport, tmp_path: Path) -> None:
        path = tmp_path / "numbers.bin"
        for content in (b"first", b"second", b"first"):
            path.write_bytes(content)
            there = started.put(path)
            assert started.get(there).read_bytes() == content
            started.discard(there)
            assert path.read_bytes() == content

    def test_nothing_comes_from_a_worker_without_requests(self, started: Transport) -> None:
        assert started.receive(0.01) is None

    def test_a_worker_that_cannot_start_says_why(self, transport: Transport) -> None:
        transport.start("devices.no_such_module:Runtime", 1)
        assert _until(lambda: transport.receive(1.0) == b"")
        assert "exit code 1" in transport.ending()
        assert "no_such_module" in transport.ending()
        with pytest.raises(BrokenPipeError):
            transport.send(b"{}\n" * 100_000)

    def test_kill_ends_the_worker_and_may_be_repeated(self, started: Transport) -> None:
        started.kill()
        started.kill()

    def test_kill_before_the_start_does_nothing(self, transport: Transport) -> None:
        transport.kill()

    def test_the_running_candidate_is_recorded_or_sent(self, started: Transport) -> None:
        path = started.put(REFERENCE_NET)
        file = ModelFile(Path(path), Path(path), (ModelInput("image", (1, 3, 192, 192), "float32"),))
        protocol = MeasurementProtocol(block_ms=0.1, minimum_blocks=3, maximum_blocks=3, profile_runs=0)
        started.send(messages.encode(messages.Measure(file, (file,), protocol, seed=0)))
        answers = list(takewhile(lambda answer: not isinstance(answer, messages.Profiled), _answers(started)))
        steps = {answer.candidate for answer in answers if isinstance(answer, messages.Step)}
        if started.status():
            assert not steps
            assert int(started.status().split()[0]) in {-1, 0}
        else:
            assert steps == {-1, 0}


def _answers(transport: Transport) -> Iterator[messages.Answer]:
    """Answers as they come, one after the other."""
    buffer = b""
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        buffer += transport.receive(1.0) or b""
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            yield messages.decode_answer(line)


def _until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        if condition():
            return True
    return False
