"""Names of plug-ins come from their registries: no type and no help text lists them by hand."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.registry import COMPILED_TARGETS, DEVICES
from export.registry import EXPORTERS
from graphs.data.registry import GRAPHS
from latseg import cli
from search.evaluators.registry import EVALUATORS
from search.spaces.registry import SPACES
from search.strategies.registry import STRATEGIES
from segmentation.baselines.registry import NETWORKS
from segmentation.data.registry import SOURCES
from tests.test_imports import PACKAGES, ROOT

REGISTRIES = (DEVICES, COMPILED_TARGETS, STRATEGIES, SPACES, EVALUATORS, EXPORTERS, SOURCES, GRAPHS, NETWORKS)
NAMES = {name for registry in REGISTRIES for name in registry.builtin}
HELP = """
import json, sys
from foundation.registry import Registry
Registry.names = property(lambda self: ("<names>",))
import typer.main
from latseg.cli import app
commands = typer.main.get_command(app).commands.items()
json.dump({name: [command.help, *(getattr(p, "help", None) for p in command.params)] for name, command in commands},
          sys.stdout)
"""


def literals(source: str) -> Iterator[object]:
    """The values in every ``Literal[...]`` of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).split(".")[-1] == "Literal":
            yield from (each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant))


def listed(text: str) -> list[str]:
    """Parts of a text that list two names of one registry: ``cpu, openvino``, ``folder:PATH or synthetic:300``."""
    found = []
    for registry in REGISTRIES:
        name = rf"(?<![\w-])[`'\"]*(?:{'|'.join(sorted(registry.builtin, reverse=True))})(?![\w-])(?::[^\s,|]+)?[`'\"]*"
        found += re.findall(rf"{name}(?:\s*[,/|]\s*|\s+)(?:(?:and|or)\s+)?{name}", text)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('x: Literal["cpu", "tpu"]', {"cpu", "tpu"}),
        ('x: typing.Literal["evolution"] | None = None', {"evolution"}),
        ('x: dict[str, "cpu"]', set()),
    ],
)
def test_a_literal_is_seen(line: str, expected: set[str]) -> None:
    assert set(literals(line)) == expected


@pytest.mark.parametrize("package", PACKAGES)
def test_no_type_lists_names(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert NAMES.isdisjoint(literals(path.read_text())), f"{path}: take the names from the registry"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One of cpu, openvino.", ["cpu, openvino"]),
        ("evolution|random", ["evolution|random"]),
        ("`folder:PATH`, or `synthetic:300`", ["`folder:PATH`, or `synthetic:300`"]),
        ("onnx and onnx-uint8", ["onnx and onnx-uint8"]),
        ("cpu, onnx, portrait", []),
        ("training of the supernet", []),
        ("as in cpu:threads=2", []),
    ],
)
def test_a_list_of_names_is_seen(text: str, expected: list[str]) -> None:
    assert listed(text) == expected


def test_no_help_text_lists_names_by_hand() -> None:
    """The process has registries without names; what it still lists was written by hand."""
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True, cwd=Path(ROOT))
    texts = json.loads(done.stdout)
    assert any("<names>" in (text or "") for text in texts["search"]), "the names are those of the registries"
    for command, helps in texts.items():
        assert [found for text in helps for found in listed(text or "")] == [], command


def test_help_names_the_graphs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.run(["search", "--help"]) == 0
    text = capsys.readouterr().out
    assert [name for name in GRAPHS.names if name not in text] == []
