"""Our own sources, as they are sent to another machine."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import devices
from devices.ssh import loader

_ROOT = Path(devices.__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Sources:
    """The packages that an agent and its worker import."""

    digest: str
    """Names their folder on the other machine."""
    archive: bytes
    """A ZIP file."""


@lru_cache(maxsize=1)
def own_sources() -> Sources:
    """Those of the running version."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in loader.sources(str(_ROOT)):
            archive.write(_ROOT / name, name)
    return Sources(loader.tree_digest(str(_ROOT)), content.getvalue())


def loader_text() -> str:
    """The program that takes them there."""
    return Path(loader.__file__).read_text()
