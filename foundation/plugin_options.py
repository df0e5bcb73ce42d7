"""The options of a plug-in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PluginOptions(BaseModel):
    """Base of a plug-in's options: immutable, unknown keys refused, texts such as ``"2"`` read as numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")
