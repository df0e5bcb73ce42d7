"""Which module imports which."""

from __future__ import annotations

import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions and those for annotations count, too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None


def test_only_the_suites_for_plugins_import_pytest() -> None:
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)
    users = graph.find_modules_that_directly_import("pytest")
    assert users
    assert all(module.startswith("latseg.testing.") for module in users), users
    for module in users:
        importers = graph.find_modules_that_directly_import(module)
        assert all(importer.startswith("latseg.testing.") for importer in importers), (module, importers)
