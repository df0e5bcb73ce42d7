"""How folders and files of the three parts are called."""

from __future__ import annotations

from typing import Literal

PartName = Literal["train", "validation", "test"]

PART_NAMES: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""The part by the customary names."""
