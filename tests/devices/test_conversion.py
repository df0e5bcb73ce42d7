import shutil
from pathlib import Path

import pytest

from devices.conversion import ConversionCache, require_converted
from foundation.errors import UserError


def test_the_same_content_is_converted_once(tmp_path: Path) -> None:
    seen: list[Path] = []

    def convert(onnx: Path, target: Path) -> None:
        seen.append(onnx)
        target.write_bytes(onnx.read_bytes()[::-1])
        target.with_suffix(".weights").write_bytes(b"weights")

    first, copy, other = (tmp_path / f"{name}.onnx" for name in ("first", "copy", "other"))
    first.write_bytes(b"abc")
    shutil.copy(first, copy)
    other.write_bytes(b"xyz")
    cache = ConversionCache("model.other", convert)
    assert cache.get(first) == cache.get(copy) != cache.get(other)
    assert seen == [first, other]
    assert cache.get(copy).read_bytes() == b"cba"
    assert cache.get(copy).with_suffix(".weights").read_bytes() == b"weights"
    assert cache.get(first).name == "model.other"


def test_a_refused_model_leaves_nothing_behind(tmp_path: Path) -> None:
    attempts: list[Path] = []

    def convert(onnx: Path, target: Path) -> None:
        attempts.append(onnx)
        target.write_bytes(b"half")
        raise UserError("model", seen="Loop", expected="no loops", remedy="unroll it")

    path = tmp_path / "net.onnx"
    path.write_bytes(b"abc")
    cache = ConversionCache("model.other", convert)
    for _ in range(2):
        with pytest.raises(UserError, match="Loop"):
            cache.get(path)
    assert len(attempts) == 2


def test_converted_files_end_with_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"abc")
    cache = ConversionCache("model.other", shutil.copy)
    converted = cache.get(path)
    assert converted.exists()
    del cache
    assert not converted.exists()


def test_only_regular_files_are_converted_ones(tmp_path: Path) -> None:
    file, link = tmp_path / "model.mnn", tmp_path / "link.mnn"
    file.write_bytes(b"net")
    link.symlink_to(file)
    require_converted(file)
    for path in (link, tmp_path, tmp_path / "gone.mnn"):
        with pytest.raises(UserError, match=f"model {path}: got .*expected a file that export wrote"):
            require_converted(path)
