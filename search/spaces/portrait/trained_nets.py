"""Nets of the ``portrait`` space that ``benchmarks/quality_prior.py`` trained on synthetic scenes of people."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from search.spaces.trained_nets import TrainedNets

FILE = Path(__file__).with_name("trained_nets.json")


@lru_cache(maxsize=1)
def trained_nets() -> TrainedNets:
    """The nets, with their mean IoU."""
    return TrainedNets.read(FILE)
