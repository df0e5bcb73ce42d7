"""Finds out what is not known of a net from elsewhere: every combination is tried on a few labelled pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.worker.runtime import ModelFailedError
from foundation.errors import UserError
from foundation.progress import OnProgress, Progress
from search.teachers.forms import Floats, Forms, InputForm, OutputForm, Pixels, planes_of
from search.teachers.label_counts import Groups, best_groups, label_counts, labels_of, mean_iou
from search.teachers.net import TeacherNet
from search.teachers.options import TeacherOptions
from segmentation.data.source import DataSource
from segmentation.normalisation import NORMALISATIONS, Colour

_PICTURES = 6
_STRIDE = 32
"""Sides of a free input size are multiples of this."""
_PERSON: Groups = ((1,),)
"""Of a net with one channel: 1 is where that is likely."""
_MOST_CLASSES = 4096
_ROUNDING = 1e-3
_CLEARLY = 0.005
"""By which a later combination must agree better than an earlier, more usual one."""

_REMEDIES = {
    "teacher": "name size, layout, output or values, as in FILE:size=256x256,output=0",
    "model": "export it with a map of classes as an output, or take data with its classes",
}
"""By the role of the net: ``evaluate`` takes no such keys."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guess:
    """The combination that agrees best with the masks."""

    forms: Forms
    mean_iou: float
    """Of the few pictures."""
    channels: int
    """Of the output."""
    map_size: tuple[int, int]
    """Height and width of the output."""

    def options(self, classes: int) -> dict[str, Any]:
        """All keys of ``TeacherOptions``."""
        one_channel = self.channels == 1 and self.forms.output.values != "classes"
        return self.forms.options(classes, one_channel=one_channel)


def guess(net: TeacherNet, options: TeacherOptions, source: DataSource, on_progress: OnProgress) -> Guess:
    """Tries what ``options`` leave open on a few training pictures.

    Raises:
        UserError: the net cannot be run, or none of its outputs can be a segmentation of this data.
    """
    _check(options, len(source.classes))
    forms = list(_input_forms(net, options, source.train.size))
    chosen = np.unique(np.linspace(0, len(source.train) - 1, _PICTURES).round().astype(int)).tolist()
    masks = [source.train.make(index)[1] for index in chosen]
    best: Guess | None = None
    reason = "no output that is a map of classes"
    for number, form in enumerate(forms):
        pictures = source.train.at(form.size)
        on_progress(Progress(net.role, number, len(forms), "how it takes pictures"))
        try:
            outputs = [net.run(form.values(pictures.make(index)[0])) for index in chosen]
        except ModelFailedError as error:
            reason = str(error)
            continue
        for found in _readings(outputs, masks, form, options, len(source.classes)):
            _logger.debug("%s %s: mean IoU %.3f with %s", net.role, net.path, found.mean_iou, found.forms)
            best = found if best is None or found.mean_iou > best.mean_iou + _CLEARLY else best
    if best is None:
        raise UserError(
            f"{net.role} {net.path}", seen=reason, expected=_expected(len(source.classes)),
            remedy=_REMEDIES[net.role],
        )  # fmt: skip
    return best


def _check(options: TeacherOptions, classes: int) -> None:
    """The keys for two classes, or those for more."""
    wrong, right = ("classes", "person") if classes == 2 else ("person", "classes")
    if getattr(options, wrong) is not None:
        raise UserError(
            f"teacher {options.file}", seen=f"the key {wrong} for data with {classes} classes",
            expected=f"the key {right}", remedy="correct it, or leave it out",
        )  # fmt: skip
    if options.classes is not None and len(options.classes) != classes:
        raise UserError(
            f"teacher {options.file}, classes", seen=f"{len(options.classes)} channels",
            expected=f"{classes}, one for each class of the data", remedy="name them like 0/1/2",
        )  # fmt: skip


def _expected(classes: int) -> str:
    return "a net that finds the person" if classes == 2 else f"a net with {classes} channels, one for each class"


def _input_forms(net: TeacherNet, options: TeacherOptions, data_size: tuple[int, int]) -> Iterator[InputForm]:
    orders = [options.channels] if options.channels else ["rgb", "bgr"]
    for layout, order, (mean, std) in product(_layouts(net, options), orders, _normalisations(net, options)):
        yield InputForm(_size(net, options, layout, data_size), layout, order, mean, std)


def _layouts(net: TeacherNet, options: TeacherOptions) -> list[str]:
    """The one given, else where the file has three channels, else both."""
    if options.layout is not None:
        return [options.layout]
    axes = {"nchw": net.shape[1], "nhwc": net.shape[3]}
    return [name for name, side in axes.items() if side == 3] or [name for name, side in axes.items() if side is None]


def _normalisations(net: TeacherNet, options: TeacherOptions) -> Sequence[tuple[Colour, Colour]]:
    if options.mean is not None or options.std is not None:
        mean, std = NORMALISATIONS["0..1"]
        return [(options.mean or mean, options.std or std)]
    return [NORMALISATIONS["0..255"]] if net.takes_whole_numbers else list(NORMALISATIONS.values())


def _size(net: TeacherNet, options: TeacherOptions, layout: str, data_size: tuple[int, int]) -> tuple[int, int]:
    """The input's own size; where it is free, the one given, else that of the data."""
    fixed = net.shape[2:] if layout == "nchw" else net.shape[1:3]
    wanted = options.size or tuple(-(-side // _STRIDE) * _STRIDE for side in data_size)
    height, width = (side or other for side, other in zip(fixed, wanted, strict=True))
    if options.size not in (None, (height, width)):
        raise UserError(
            f"{net.role} {net.path}, size", seen="x".join(map(str, options.size or ())), expected=f"{height}x{width}",
            remedy="leave size out: the file fixes it",
        )  # fmt: skip
    return height, width


def _readings(
    outputs: Sequence[Sequence[NDArray[np.generic]]],
    masks: Sequence[Pixels],
    form: InputForm,
    options: TeacherOptions,
    classes: int,
) -> Iterator[Guess]:
    """What the outputs may mean, with the agreement of each meaning."""
    for number in range(len(outputs[0])):
        maps = [planes_of(each[number], form) for each in outputs]
        planes = [each for each in maps if each is not None]
        if options.output not in (None, number) or len(planes) < len(maps):
            continue
        values = options.values or _values(planes)
        counts = _counts(planes, values, masks, classes)
        one_channel = len(planes[0]) == 1 and values != "classes"
        groups = _PERSON if one_channel else given_groups(options, classes)
        if counts.shape[1] < classes or any(channel >= counts.shape[1] for group in groups for channel in group):
            continue
        score, groups = (mean_iou(counts, groups), groups) if groups else best_groups(counts)
        height, width = planes[0].shape[1:]
        yield Guess(Forms(form, OutputForm(number, values, groups)), score, len(planes[0]), (height, width))


def given_groups(options: TeacherOptions, classes: int) -> Groups:
    """The channels that the user named; none where they are to be found."""
    if classes == 2:
        return (options.person,) if options.person is not None else ()
    return tuple((number,) for number in options.classes[1:]) if options.classes is not None else ()


def _values(planes: Sequence[Floats]) -> str:
    low, high = min(each.min() for each in planes), max(each.max() for each in planes)
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return "probabilities"
    whole = len(planes[0]) == 1 and low >= 0 and all((each == np.rint(each)).all() for each in planes)
    return "classes" if whole else "logits"


def _counts(planes: Sequence[Floats], values: str, masks: Sequence[Pixels], classes: int) -> NDArray[np.int64]:
    labels = [labels_of(each, values) for each in planes]
    numbers = max(2, len(planes[0]))
    if values == "classes":
        numbers = min(_MOST_CLASSES, max(classes, 1 + max(int(each.max()) for each in labels)))
    return sum(
        (label_counts(label, mask, classes, numbers) for label, mask in zip(labels, masks, strict=True)),
        np.zeros((classes, numbers), np.int64),
    )
