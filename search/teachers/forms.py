"""From a picture to a net's input, and from its output to probabilities of the data's classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segmentation.normalisation import Colour

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class InputForm:
    """What a net takes: one picture at ``size``, ``(x - mean) / std`` with x in 0..1."""

    size: tuple[int, int]
    layout: str
    channels: str
    mean: Colour
    std: Colour

    def values(self, picture: Pixels) -> Floats:
        """A picture at ``size``, height x width x 3 (red, green, blue), as the net's input."""
        shares = picture.astype(np.float32) / np.float32(255)
        values = (shares - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        if self.channels == "bgr":
            values = values[..., ::-1]
        if self.layout == "nchw":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[None], np.float32)


@dataclass(frozen=True, slots=True)
class OutputForm:
    """What a net's outputs mean."""

    output: int
    values: str
    """``logits``, ``probabilities`` or ``classes``."""
    groups: tuple[tuple[int, ...], ...]
    """The channels, or class numbers, of each class of the data but the first, which has all others. A net with one
    channel says how likely the second class is; it has no use for them."""

    def probabilities(self, planes: Floats) -> Floats:
        """``classes x height x width`` of the output's ``planes``."""
        if self.values == "classes":
            others = [np.isin(planes[0], group).astype(np.float32) for group in self.groups]
        else:
            shares = shares_of(planes, self.values)
            others = [shares[-1]] if len(planes) == 1 else [shares[list(group)].sum(0) for group in self.groups]
        first = np.clip(1 - np.sum(others, axis=0, dtype=np.float32), 0, 1)
        return np.stack([first, *others]).astype(np.float32)

    def scores(self, planes: Floats) -> Floats:
        """``classes x height x width``, of which the largest is the class: logits, if no channels are joined."""
        if self.values != "logits" or len(planes) not in (1, len(self.groups) + 1):
            return self.probabilities(planes)
        if len(planes) == 1:
            return np.concatenate([np.zeros_like(planes), planes])
        others = [group[0] for group in self.groups]
        first = next(number for number in range(len(planes)) if number not in others)
        return planes[[first, *others]]


@dataclass(frozen=True, slots=True)
class Forms:
    """Everything that must be known of a net to ask it."""

    input: InputForm
    output: OutputForm

    def options(self, classes: int, *, one_channel: bool) -> dict[str, Any]:
        """As keys of ``TeacherOptions``."""
        found = {**asdict(self.input), "output": self.output.output, "values": self.output.values}
        if one_channel:
            return found
        if classes == 2:
            return {**found, "person": self.output.groups[0]}
        others = [group[0] for group in self.output.groups]
        first = next(number for number in range(classes) if number not in others)
        return {**found, "classes": (first, *others)}


def planes_of(output: NDArray[np.generic], form: InputForm) -> Floats | None:
    """The output as ``channels x height x width``; None where it is no map.

    The axes that have the input's proportions are height and width; where several do, the input's layout decides.
    """
    array = np.asarray(output)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not np.issubdtype(array.dtype, np.number):
        return None
    found = [axis for axis in ((0, 2) if form.layout == "nchw" else (2, 0)) if _fits(array.shape, axis, form.size)]
    if not found:
        return None
    return np.nan_to_num(np.moveaxis(array, found[0], 0).astype(np.float32))


def _fits(shape: tuple[int, ...], channels: int, size: tuple[int, int]) -> bool:
    height, width = (side for axis, side in enumerate(shape) if axis != channels)
    if min(height, width) < 2:
        return False
    return abs(height / width - size[0] / size[1]) < 1 / min(height, width)


def shares_of(planes: Floats, values: str) -> Floats:
    """Probabilities of the channels; one channel becomes its complement and itself."""
    if len(planes) == 1:
        share = planes[0] if values == "probabilities" else 0.5 + 0.5 * np.tanh(planes[0] / 2)
        share = np.clip(share, 0, 1)
        return np.stack([1 - share, share])
    shares = np.clip(planes, 0, 1) if values == "probabilities" else np.exp(planes - planes.max(0, keepdims=True))
    return np.asarray(shares / np.maximum(shares.sum(0, keepdims=True), _TINY), np.float32)


def forms_of(options: Mapping[str, Any], classes: int) -> Forms:
    """The inverse of ``Forms.options``."""
    groups: tuple[tuple[int, ...], ...] = ()
    if options.get("person") is not None:
        groups = (tuple(options["person"]),)
    elif options.get("classes") is not None:
        groups = tuple((number,) for number in options["classes"][1:])
    size, mean, std = (tuple(options[key]) for key in ("size", "mean", "std"))
    return Forms(
        InputForm(size, options["layout"], options["channels"], mean, std),
        OutputForm(options["output"], options["values"], groups or ((1,),) * (classes - 1)),
    )
