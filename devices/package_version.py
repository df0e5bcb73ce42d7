"""Which version of a Python package is installed."""

from __future__ import annotations

from importlib import import_module, metadata
from importlib.util import find_spec


def package_version(name: str) -> str | None:
    """Version of the package; None where it cannot be imported.

    A package may come from a distribution of another name (``onnxruntime`` from ``onnxruntime-gpu``) or from none; then
    it is imported and says its version itself.
    """
    if find_spec(name) is None:
        return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    try:
        return str(getattr(import_module(name), "__version__", "unknown"))
    except (ImportError, OSError):  # a library that it needs is missing
        return None
