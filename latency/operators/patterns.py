"""Activations, layer normalisation and linear layers that are written out as several nodes."""

from __future__ import annotations

from latency.operators.nodes import Node
from latency.operators.rewriting import Match, Pattern, both_orders, scalar


def _hard_sigmoid(node: Node, producers: dict[str, Node]) -> Match | None:
    """relu6(x + 3) / 6."""
    clip = producers.get(node.input) if _multiplies(node, 1 / 6) else None
    shifted = _clipped_shift(clip, producers)
    return Match("HardSigmoid", shifted.input, [shifted, clip]) if clip and shifted else None


def _hard_swish_divided_last(node: Node, producers: dict[str, Node]) -> Match | None:
    """x * relu6(x + 3) / 6, the division at the end."""
    product = producers.get(node.input) if _multiplies(node, 1 / 6) else None
    if product is None or product.kind != "Mul":
        return None
    for source, other in both_orders(product):
        clip = producers.get(other)
        shifted = _clipped_shift(clip, producers)
        if clip and shifted and shifted.input == source:
            return Match("HardSwish", source, [shifted, clip, product])
    return None


def _gated(node: Node, producers: dict[str, Node]) -> Match | None:
    """x * HardSigmoid(x) and x * Sigmoid(x)."""
    if node.kind != "Mul":
        return None
    for source, other in both_orders(node):
        gate = producers.get(other)
        if gate and gate.kind in ("HardSigmoid", "Sigmoid") and gate.input == source:
            return Match("HardSwish" if gate.kind == "HardSigmoid" else "Silu", source, [gate])
    return None


def _gelu_halved_last(node: Node, producers: dict[str, Node]) -> Match | None:
    """(x * (1 + erf(x / sqrt(2)))) * 0.5 (Hendrycks & Gimpel 2016)."""
    product = producers.get(node.input) if _multiplies(node, 0.5) else None
    if product is None or product.kind != "Mul":
        return None
    for source, other in both_orders(product):
        gate = _error_gate(other, source, producers)
        if gate:
            return Match("Gelu", source, [*gate, product])
    return None


def _gelu_halved_first(node: Node, producers: dict[str, Node]) -> Match | None:
    """(x * 0.5) * (1 + erf(x / sqrt(2))) and x * ((1 + erf(x / sqrt(2))) * 0.5)."""
    if node.kind != "Mul":
        return None
    for first, other in both_orders(node):
        half = producers.get(first)
        if half is None or not _multiplies(half, 0.5):
            continue
        for source, shifted in ((half.input, other), (other, half.input)):
            gate = _error_gate(shifted, source, producers)
            if gate:
                return Match("Gelu", source, [*gate, half])
    return None


def _error_gate(name: str, source: str, producers: dict[str, Node]) -> list[Node] | None:
    """The nodes of 1 + erf(source / sqrt(2)) if they produce ``name``."""
    shifted = producers.get(name)
    error = producers.get(shifted.input) if shifted and shifted.kind == "Add" and scalar(shifted) == 1.0 else None
    scaled = producers.get(error.input) if error and error.kind == "Erf" else None
    if not (shifted and error and scaled) or not _multiplies(scaled, 0.5**0.5) or scaled.input != source:
        return None
    return [scaled, error, shifted]


def _multiplies(node: Node, factor: float) -> bool:
    """Whether it multiplies its only activation by a number, or divides it by the inverse."""
    constant = scalar(node) if len(node.inputs) == 1 else None
    if not constant or not (node.kind == "Mul" or (node.kind == "Div" and 1 in node.constants)):
        return False
    return abs((constant if node.kind == "Mul" else 1 / constant) / factor - 1) < 1e-3


def _clipped_shift(clip: Node | None, producers: dict[str, Node]) -> Node | None:
    """The x + 3 in relu6(x + 3)."""
    if clip is None or clip.kind != "Clip" or _limits(clip) != (0.0, 6.0):
        return None
    shifted = producers.get(clip.input)
    return shifted if shifted and shifted.kind == "Add" and scalar(shifted) == 3.0 else None


def _limits(clip: Node) -> tuple[float | None, float | None]:
    """Limits of a Clip: inputs since opset 11, attributes before."""
    given = [clip.constants.get(slot) for slot in (1, 2)]
    named = [clip.attributes.get(name) for name in ("min", "max")]
    low, high = (
        (float(array.reshape(-1)[0]) if array.size == 1 else None)
        if array is not None
        else float(value)
        if isinstance(value, float)
        else None
        for array, value in zip(given, named, strict=True)
    )
    return low, high


def _layer_normalisation(node: Node, producers: dict[str, Node]) -> Match | None:
    """(x - mean) / sqrt(mean((x - mean)^2) + eps) * scale + shift over the last axes (Ba et al. 2016, section 3)."""
    scaled = _with_weights(node, "Add", producers)
    divided = _with_weights(scaled, "Mul", producers)
    if node.kind != "Add" or not (scaled and divided) or scaled.kind != "Mul" or divided.kind != "Div":
        return None
    names = list(divided.inputs.values())
    centred = producers.get(names[0])
    root = producers.get(names[-1])
    mean = _subtracted_mean(centred, producers)
    spread = _spread(root, names[0], producers)
    if not (centred and root and mean and spread) or _last_axes(mean) != _last_axes(spread[0]):
        return None
    constants = {1: next(iter(scaled.constants.values())), 2: next(iter(node.constants.values()))}
    inner = [mean, centred, *spread, root, divided, scaled]
    return Match("LayerNormalization", mean.input, inner, constants, {"axis": _last_axes(mean)[0]})


def _linear(node: Node, producers: dict[str, Node]) -> Match | None:
    """A matrix times constant weights, plus constants: what Gemm is."""
    product = _with_weights(node, "Add", producers)
    if product is None or product.kind != "MatMul" or list(product.inputs) != [0] or product.weights_are_inputs:
        return None
    weights, shift = product.constants[1], next(iter(node.constants.values()))
    written = (product.input_shape[0], weights.shape[-1])
    if len(product.input_shape) != 2 or node.input_shape != written or shift.shape != weights.shape[1:]:
        return None
    return Match("Gemm", product.input, [product], {1: weights, 2: shift}, input_shape=product.input_shape)


def _with_weights(node: Node | None, kind: str, producers: dict[str, Node]) -> Node | None:
    """What feeds a node that adds, or multiplies by, constant weights."""
    fits = node is not None and node.kind == kind and len(node.inputs) == len(node.constants) == 1
    return producers.get(node.input) if node and fits else None


def _subtracted_mean(centred: Node | None, producers: dict[str, Node]) -> Node | None:
    """The mean in x - mean(x), over the last axes."""
    if centred is None or centred.kind != "Sub" or len(centred.inputs) != 2:
        return None
    source, other = centred.inputs.values()
    mean = producers.get(other)
    return mean if mean and mean.kind == "ReduceMean" and mean.input == source and _last_axes(mean) else None


def _spread(root: Node | None, centred: str, producers: dict[str, Node]) -> list[Node] | None:
    """The mean of the squares, the squares, and the sum with epsilon below a square root."""
    shifted = producers.get(root.input) if root and root.kind == "Sqrt" else None
    mean = producers.get(shifted.input) if shifted and shifted.kind == "Add" and scalar(shifted) is not None else None
    squares = producers.get(mean.input) if mean and mean.kind == "ReduceMean" else None
    if not (shifted and mean and squares) or not _squares(squares, centred):
        return None
    return [mean, squares, shifted]


def _squares(node: Node, source: str) -> bool:
    if node.kind == "Mul":
        return any(pair == (source, source) for pair in both_orders(node))
    return node.kind == "Pow" and node.input == source and scalar(node) == 2.0


def _last_axes(mean: Node) -> tuple[int, ...]:
    """The axes of a mean that keeps its sides, if they are the last ones; else none."""
    axes, rank = mean.attributes.get("axes"), len(mean.input_shape)
    last = isinstance(axes, tuple) and axes and axes == tuple(range(rank - len(axes), rank))
    return axes if isinstance(axes, tuple) and last and mean.attributes.get("keepdims", 1) else ()


PATTERNS: tuple[Pattern, ...] = (
    _hard_sigmoid,
    _hard_swish_divided_last,
    _gated,
    _gelu_halved_last,
    _gelu_halved_first,
    _layer_normalisation,
    _linear,
)
