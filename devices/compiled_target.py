"""The contract of a compiled target: the vendor's compiler without the hardware."""

from __future__ import annotations

from devices.target import Target


class CompiledTarget(Target):
    """Says whether the compiler accepts a model; there is no ``measure``, hence no certificate."""
