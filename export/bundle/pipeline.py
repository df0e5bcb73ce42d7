"""Times of everything that a bundle's ``segment.py`` does, from the file of a picture to its mask."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Times(BaseModel):
    """Median, 10th and 90th percentile, to a hundredth of a millisecond."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    median_ms: _Milliseconds
    low_ms: _Milliseconds
    high_ms: _Milliseconds

    def __str__(self) -> str:
        return f"{self.median_ms} ms ({self.low_ms} to {self.high_ms})"


class Pipeline(BaseModel):
    """Times on the machine that made the bundle. No budget promises them: a certificate is for the network alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    threads: Annotated[int, Field(ge=1)]
    picture: str
    """What was segmented."""
    runs: Annotated[int, Field(ge=1)]
    processes: Annotated[int, Field(ge=1)]
    decode: Times
    prepare: Times
    """Resize to the network's input and normalise."""
    net: Times
    enlarge: Times
    """Logits to class numbers and foreground of the picture's size."""
    total: Times
    load: Times
    """Making the runtime ready for the network."""
    cold_start: Times
    """From the start of the process to the first mask, in memory."""

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"Pipeline, on the machine that made this bundle ({self.machine}, {threads}; {self.picture}; {self.runs} "
            f"runs in {self.processes} processes; median, and 10th to 90th percentile): decode {self.decode}, resize "
            f"and normalise {self.prepare}, network {self.net}, arg-max and enlargement {self.enlarge}, in all "
            f"{self.total}. Cold start, from the start of the process to the first mask: {self.cold_start}, in it "
            f"{self.load} to load the network. The budget is for the network alone."
        )
