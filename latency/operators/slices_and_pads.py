"""One form for Slice and Pad, whose settings can say the same in several ways."""

from __future__ import annotations

import numpy as np

from latency.operators.nodes import Node

_STARTS, _ENDS, _AXES, _STEPS = 1, 2, 3, 4
_PADS, _VALUE, _PADDED_AXES = 1, 2, 3
"""Inputs by slot (ONNX operator specifications, Slice-13 and Pad-18)."""


def plain_slice(node: Node) -> None:
    """Names the axes that are cut, from the first, with limits within the side; steps only where one is not 1."""
    if list(node.inputs) != [0] or not {_STARTS, _ENDS} <= node.constants.keys():
        return
    rank = len(node.input_shape)
    starts, ends = _numbers(node, _STARTS), _numbers(node, _ENDS)
    axes = [axis % rank for axis in _numbers(node, _AXES)] or list(range(len(starts)))
    steps = _numbers(node, _STEPS) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        return
    settings = sorted(zip(axes, starts, ends, steps, strict=True))
    kept = [(axis, _kept(node.input_shape[axis], start, end, step)) for axis, start, end, step in settings]
    cut = [(axis, each) for axis, each in kept if each != range(node.input_shape[axis])] or kept[:1]
    node.constants = {
        _STARTS: _array([each.start for _, each in cut]),
        # Before the first number is no place from which ONNX counts: -1 is the last one.
        _ENDS: _array([each.stop if each.stop >= 0 else -node.input_shape[axis] - 1 for axis, each in cut]),
        _AXES: _array([axis for axis, _ in cut]),
    }
    if any(each.step != 1 for _, each in cut):
        node.constants[_STEPS] = _array([each.step for _, each in cut])


def plain_pad(node: Node) -> None:
    """Gives the widths of all axes, and no value where it is zero."""
    if list(node.inputs) != [0] or _PADS not in node.constants:
        return
    value = node.constants.get(_VALUE)
    if value is not None and value.size == 1 and not value.any():
        del node.constants[_VALUE]
    if _PADDED_AXES in node.constants:
        axes = _numbers(node, _PADDED_AXES)
        rank, pads = len(node.input_shape), _numbers(node, _PADS)
        every = [0] * (2 * rank)
        for place, axis in enumerate(axes):
            every[axis % rank], every[rank + axis % rank] = pads[place], pads[len(axes) + place]
        node.constants[_PADS] = _array(every)
        del node.constants[_PADDED_AXES]


def _kept(side: int, start: int, end: int, step: int) -> range:
    """As in Python, but a start before the first place is that place."""
    return range(side)[max(start, -side) : end : step]


def _numbers(node: Node, slot: int) -> list[int]:
    return [int(each) for each in node.constants[slot].reshape(-1)] if slot in node.constants else []


def _array(numbers: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64)
