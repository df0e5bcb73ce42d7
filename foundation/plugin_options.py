"""The options of a plug-in."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class PluginOptions(BaseModel):
    """Base of a plug-in's options: immutable, unknown keys refused, texts such as ``"2"`` read as numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bare: ClassVar[str] = ""
    """The option whose value may stand first without its key, as in ``page:phone``; empty for none."""
