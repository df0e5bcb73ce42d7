"""A torch network as an ONNX file. Importing this module loads torch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.jit._trace import TracerWarning

from export.evaluation_mode import evaluation_mode
from export.graph_cleanup import clean
from export.uint8_network import Uint8Network
from foundation.atomic_file import write_file
from foundation.errors import UserError

INPUT_NAME = "image"
LOGITS_NAME = "logits"
MASK_NAME = "mask"
LOWEST_OPSET = 17
HIGHEST_OPSET = 20  # what torch's TorchScript exporter knows


def export_onnx(
    module: nn.Module,
    path: Path,
    *,
    height: int,
    width: int,
    dynamic: bool = False,
    uint8_input: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    opset: int = LOWEST_OPSET,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Writes ``module`` (in evaluation mode, batch normalisation folded) to ``path``, whole or not at all.

    Without ``uint8_input``: ``image`` float32 1 x 3 x height x width, normalised by the caller; ``logits`` float32
    1 x classes x height x width. With it: ``image`` uint8 1 x height x width x 3 (RGB), normalised inside as
    (x / 255 - mean) / std; ``mask`` uint8 1 x height x width of class numbers. ``dynamic`` leaves height and width
    open. The same module gives the same bytes; the module's mode is left as it was.

    Raises:
        UserError: opset or size out of range, ``uint8_input`` without ``mean`` and ``std``, or batch normalisation
            that does not stand behind a convolution.
        OSError: ``path`` cannot be written.
    """
    _check(height, width, opset)
    with evaluation_mode(module):
        model = _trace(
            _with_uint8_input(module, mean, std) if uint8_input else module,
            shape=(1, height, width, 3) if uint8_input else (1, 3, height, width),
            output=MASK_NAME if uint8_input else LOGITS_NAME,
            dynamic=dynamic,
            opset=opset,
        )
    clean(model)
    _check_folded(model)
    _describe(model, metadata or {})
    return write_file(Path(path), _serialised(model))


def _check(height: int, width: int, opset: int) -> None:
    if height < 1 or width < 1:
        raise UserError(
            "export size", seen=f"{height} x {width}", expected="positive height and width", remedy="give both sides"
        )
    if not LOWEST_OPSET <= opset <= HIGHEST_OPSET:
        raise UserError(
            "ONNX opset",
            seen=opset,
            expected=f"{LOWEST_OPSET} to {HIGHEST_OPSET}",
            remedy=f"use {LOWEST_OPSET} unless the runtime asks for another",
        )


def _with_uint8_input(module: nn.Module, mean: Sequence[float] | None, std: Sequence[float] | None) -> nn.Module:
    if mean is None or std is None or len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise UserError(
            "normalisation of the uint8 input",
            seen=f"mean {mean}, std {std}",
            expected="three means and three positive standard deviations",
            remedy="pass the ones that the network was trained with",
        )
    return Uint8Network(module, mean, std).eval()


def _trace(module: nn.Module, *, shape: tuple[int, ...], output: str, dynamic: bool, opset: int) -> onnx.ModelProto:
    uint8 = output == MASK_NAME
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    image = torch.zeros(shape, dtype=torch.uint8 if uint8 else torch.float32, device=device)
    height_axis = 1 if uint8 else 2
    buffer = io.BytesIO()
    with torch.no_grad(), _quiet_exporter():
        # The TorchScript exporter makes the same graph as the dynamo one in a tenth of the time.
        torch.onnx.export(
            module,
            (image,),
            buffer,  # type: ignore[arg-type]  # the stub knows only paths; this exporter writes to streams too
            dynamo=False,
            opset_version=opset,
            do_constant_folding=True,
            input_names=[INPUT_NAME],
            output_names=[output],
            dynamic_axes=_open_axes(output, height_axis) if dynamic else None,
        )
    return onnx.load_from_string(buffer.getvalue())


def _open_axes(output: str, height_axis: int) -> dict[str, dict[int, str]]:
    axes = {height_axis: "height", height_axis + 1: "width"}
    return {INPUT_NAME: axes, output: dict(axes)}


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silences what the exporter says about itself and nothing that it says about the network's operators."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*legacy TorchScript-based ONNX.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="The feature will be removed.*")
        warnings.filterwarnings("ignore", category=TracerWarning)
        yield


def _check_folded(model: onnx.ModelProto) -> None:
    left = [node.name for node in model.graph.node if node.op_type == "BatchNormalization"]
    if left:
        raise UserError(
            "batch normalisation",
            seen=", ".join(left),
            expected="each directly behind a convolution of its own, so that it can be folded",
            remedy="move it behind a convolution",
        )


def _describe(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    model.producer_name = "latseg"
    model.producer_version = _version()
    model.graph.name = "latseg"
    for key in sorted(metadata):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, metadata[key]


def _version() -> str:
    try:
        return version("latseg")
    except PackageNotFoundError:  # run from a source tree
        return "0"


def _serialised(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
