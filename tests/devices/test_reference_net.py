import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from devices import reference_net
from devices.protocol import PROTOCOL_VERSION
from devices.reference_net import build_reference_net, reference_net_path, reference_net_sha256
from foundation.errors import UserError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_it_is_a_valid_net_of_the_usual_operators() -> None:
    model = build_reference_net()
    onnx.checker.check_model(model, full_check=True)
    kinds = {node.op_type for node in model.graph.node}
    assert {"Conv", "HardSwish", "HardSigmoid", "GlobalAveragePool", "Mul", "Add", "Resize", "Concat"} <= kinds
    kernels = {tuple(a.ints) for node in model.graph.node for a in node.attribute if a.name == "kernel_shape"}
    assert kernels == {(1, 1), (3, 3), (5, 5)}


def test_the_same_bytes_in_every_process() -> None:
    code = "from devices.reference_net import *; print(reference_net_sha256())"
    seen = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert seen.strip() == reference_net_sha256()


def test_another_reference_net_needs_another_version_of_the_protocol() -> None:
    known = {2: "c95f5888aa4971debc6a3345283369c8858a63181b05efc615d486d50521e26b"}
    assert known[PROTOCOL_VERSION] == reference_net_sha256()


def test_it_is_cached_and_a_damaged_file_is_written_again(cache: Path) -> None:
    path = reference_net_path()
    assert path.is_relative_to(cache)
    written = path.stat().st_mtime_ns
    assert reference_net_path().stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:100])
    assert onnx.load(str(reference_net_path())) == build_reference_net()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_without_a_cache_folder_it_goes_to_the_temporary_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "latseg").write_text("a file in the way")
    temporary = cache / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(temporary))
    assert reference_net_path().is_relative_to(temporary)


def test_nowhere_to_write_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reference_net, "write_file", refuse)
    monkeypatch.setattr(reference_net, "_cache_folder", lambda: Path("/nowhere"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/nowhere")
    with pytest.raises(UserError, match="no folder to write"):
        reference_net_path()
