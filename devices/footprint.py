"""What a file takes where it is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Footprint:
    """Time and memory of a process that loads one file and runs it once."""

    load_ms: float
    """Time until the file can be run: the median of several loads, the runtime's own start left out."""
    peak_memory_mb: float | None
    """Largest resident memory of the process in millions of bytes, Python and the runtime included; None where the
    operating system does not tell."""
    compute_units: tuple[str, ...]
    """Where its operators run: ``cpu``, ``gpu``, ``npu``."""
