"""The space of the page "A space of your own" keeps the contract."""

from __future__ import annotations

import json
import re
import tempfile
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from latseg.testing.space_contract import PlanSpaceContract
from search.spaces.plan_space import PlanSpace

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "own_space.md"


def code() -> str:
    """The first code of the page."""
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert source
    return source[1]


@cache
def module() -> ModuleType:
    """What a package with this code would be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my_package.py"
        path.write_text(code())
        loader = SourceFileLoader("my_package", str(path))
        spec = spec_from_loader("my_package", loader)
        assert spec
        made = module_from_spec(spec)
        loader.exec_module(made)
    return made


class TestFlatSpace(PlanSpaceContract):
    def make_space(self, classes: int = 2) -> PlanSpace:
        space: PlanSpace = module().FlatSpace(classes)
        return space


def test_it_is_one_class_of_sixty_lines() -> None:
    assert re.findall("^class .*", code(), re.MULTILINE) == ["class FlatSpace(PlanSpace):"]
    assert len(code().splitlines()) <= 70
    assert len(code().partition("class ")[2].splitlines()) <= 60


def test_the_notebook_searches_in_it() -> None:
    cells = json.loads((ROOT / "examples" / "own_space.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert any(f"MODULE = '''\n{code()}'''" in source for source in sources)
    assert any("workspace.search(" in source and 'space="flat"' in source for source in sources)
