"""The order in which LiteRT runs the operators of a file of which XNNPACK takes some."""

from __future__ import annotations

from collections.abc import Sequence, Set

from devices.backends.litert.net import TfliteOperator


def partitions(operators: Sequence[TfliteOperator], own: Set[int]) -> list[list[int]]:
    """Groups of operators in the order of execution, by their places; XNNPACK takes a group as a whole.

    As long as operators of one kind, LiteRT's own or XNNPACK's, have all their inputs, they are one group, also where
    operators of the other kind stand between them in the file (``tflite/graph_info.cc``).

    Args:
        operators: in the order of the file.
        own: places of those that LiteRT runs itself.
    """
    waiting = list(range(len(operators)))
    groups: list[list[int]] = []
    while waiting:
        missing = {tensor for place in waiting for tensor in operators[place].outputs}
        group: list[int] = []
        for place in waiting:
            ready = missing.isdisjoint(operators[place].inputs)
            if ready and (not group or (place in own) == (group[0] in own)):
                group.append(place)
                missing.difference_update(operators[place].outputs)
        groups.append(group)
        waiting = [place for place in waiting if place not in group]
    return groups
