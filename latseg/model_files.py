"""Models as ONNX files: paths, torch modules, and the shapes of inputs with dynamic axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from foundation.errors import UserError, first_line
from foundation.temporary_folder import TemporaryFolder
from latseg.network_model import NetworkModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
Values = Mapping[str, Any]
"""Numbers, lists of numbers or arrays by name of the input."""
T = TypeVar("T")


@contextmanager
def model_file(model: str | Path | nn.Module | NetworkModel, example_inputs: Any = None) -> Iterator[Path]:
    """The ONNX file of a model: the path itself, or a temporary file to which the model is exported.

    Args:
        model: an ONNX file, a ``torch.nn.Module`` or a known network.
        example_inputs: of a module: a tensor or a tuple of tensors, as its ``forward`` takes them.

    Raises:
        UserError: a module without example inputs, or one that torch cannot export.
    """
    if isinstance(model, str | Path):
        yield Path(model)
        return
    if isinstance(model, NetworkModel):
        with TemporaryFolder() as folder:
            yield model.export(folder.path)
        return
    if example_inputs is None:
        raise UserError(
            f"model {type(model).__name__}", seen="no example inputs", expected="a tensor or a tuple of tensors",
            remedy="pass for example torch.zeros(1, 3, 128, 128)",
        )  # fmt: skip
    with TemporaryFolder() as folder:
        yield _exported(model, example_inputs, folder.path / f"{type(model).__name__}.onnx")


def _exported(module: nn.Module, example_inputs: Any, path: Path) -> Path:
    import warnings

    import torch

    from foundation.evaluation_mode import evaluation_mode

    inputs = tuple(example_inputs) if isinstance(example_inputs, tuple | list) else (example_inputs,)
    with torch.no_grad(), warnings.catch_warnings(), evaluation_mode(module):
        warnings.simplefilter("ignore")  # the exporter warns of itself
        try:
            torch.onnx.export(module, inputs, path, dynamo=False, opset_version=17)
        except Exception as error:  # torch raises errors of many classes here
            raise UserError(
                f"model {type(module).__name__}", seen=first_line(error),
                expected="a module that torch.onnx.export can export",
                remedy="export it yourself and pass the ONNX file",
            ) from error  # fmt: skip
    return path


def as_arrays(values: Values | None) -> dict[str, NDArray[np.generic]]:
    """Values of inputs as arrays."""
    if not values:
        return {}
    import numpy as np

    return {name: np.asarray(value) for name, value in values.items()}


def by_model(models: Sequence[Path], given: Mapping[str, T], *, option: str) -> list[dict[str, T]]:
    """For each model what is given for those inputs that it has.

    Raises:
        UserError: something for an input that no model has; not a model.
    """
    from devices.model_file import check_model

    if not given:
        return [{} for _ in models]
    names = [{value.name for value in check_model(model).graph.input} for model in models]
    for name in given:
        if not any(name in known for known in names):
            raise UserError(
                option,
                seen=f"a value for {name!r}" if option == "--input" else f"a shape for {name!r}",
                expected=f"one of {', '.join(sorted(set().union(*names)))}",
                remedy="name an input of the model",
            )
    return [{name: value for name, value in given.items() if name in known} for known in names]
