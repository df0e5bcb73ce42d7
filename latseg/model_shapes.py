"""Shapes of inputs with dynamic axes, as the command line gives them, for one or several models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foundation.errors import UserError
from latseg.units import parse_shape

Shapes = dict[str, tuple[int, ...]]


def shapes_of(models: Sequence[Path], texts: Sequence[str] | None) -> list[Shapes]:
    """For each model the shapes of the inputs that it has.

    Args:
        models: ONNX files.
        texts: ``NAME=1x3x224x224``.

    Raises:
        UserError: a shape for an input that no model has; not a shape; not a model.
    """
    from devices.model_file import check_model

    given = dict(parse_shape(text) for text in texts or ())
    if not given:
        return [{} for _ in models]
    names = [{value.name for value in check_model(model).graph.input} for model in models]
    for name in given:
        if not any(name in known for known in names):
            raise UserError(
                "--shape",
                seen=f"a shape for {name!r}",
                expected=f"one of {', '.join(sorted(set().union(*names)))}",
                remedy="name an input of the model",
            )
    return [{name: shape for name, shape in given.items() if name in known} for known in names]
