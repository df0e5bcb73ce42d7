import sys
from importlib import metadata
from pathlib import Path

import pytest

from devices.package_version import package_version


def test_it_is_that_of_the_distribution() -> None:
    assert package_version("numpy") == metadata.version("numpy")
    assert package_version("typing_extensions") == metadata.version("typing-extensions")
    assert package_version("no_such_package") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("__version__ = '1.23.0'", "1.23.0"), ("", "unknown"), ("import no_such_library", None), ("raise OSError", None)],
)
def test_without_a_distribution_the_package_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str | None
) -> None:
    (tmp_path / "latseg_test_board_runtime.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "latseg_test_board_runtime", raising=False)
    assert package_version("latseg_test_board_runtime") == expected
