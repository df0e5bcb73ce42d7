"""The formats that a bundle can hold: each with the file that it reads and how that file is made.

Importing this module loads torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from devices.model_file import sha256_of
from export.bundle.manifest import BundleFile, Normalisation
from export.bundle.parity_sample import noise_picture, smooth_picture
from export.bundle.preprocess import Pixels, normalise
from export.device_lookup import GetDevice
from export.parity import Array, Infer, Parity, check_parity
from export.to_onnx import export_onnx
from foundation.errors import UserError


@dataclass(frozen=True, slots=True)
class Format:
    """A file name, whose runtime runs it here, and what ``export_onnx`` does differently for it."""

    path: str
    runtime: str
    note: str
    dynamic: bool = False
    uint8_input: bool = False


FORMATS: Mapping[str, Format] = {
    "onnx": Format("model.onnx", "cpu", "float input, fixed size"),
    "onnx-dynamic": Format(
        "model_dynamic.onnx", "cpu", "float input, any size that the network's strides divide", True
    ),
    "onnx-uint8": Format("model_uint8.onnx", "cpu", "uint8 pixels in, class numbers out", uint8_input=True),
    "openvino": Format("model.onnx", "openvino", "OpenVINO reads the ONNX file itself"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The network that the files are made of, and pictures of its size (height x width x 3) to compare them on."""

    module: nn.Module
    height: int
    width: int
    normalisation: Normalisation
    photographs: tuple[Pixels, ...]
    seed: int
    opset: int


def check_formats(names: Sequence[str]) -> tuple[str, ...]:
    """The formats to write, ``onnx`` first whether asked for or not: the other parts of a bundle rest on it.

    Raises:
        UserError: a format that is not known or cannot be executed, and so not checked, here.
    """
    for name in names:
        if name not in FORMATS:
            raise UserError(
                "export format",
                seen=name,
                expected=" or ".join(FORMATS),
                remedy="choose one of these; other formats cannot be executed and checked here",
            )
    return tuple(dict.fromkeys(["onnx", *names]))


def write_format(
    name: str, folder: Path, source: Source, *, model_path: Path | None, get_device: GetDevice
) -> BundleFile:
    """Writes the file of a format into ``folder``, runs it beside torch and describes it.

    Raises:
        UserError: the file does not compute what the network computes.
    """
    form = FORMATS[name]
    path = folder / form.path
    if not path.exists():
        _make(form, path, source, model_path)
    device = get_device(form.runtime)
    availability = device.availability()
    parity = _parity(name, path, source, device.infer) if availability.available else None
    return BundleFile(
        path=form.path,
        format=name,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        parity_max_abs=parity.max_abs if parity else None,
        parity_mask_iou=parity.mask_iou if parity else None,
        executed=parity is not None,
        note=form.note if parity else f"{form.note}; not executed: {availability.reason}",
    )


def _make(form: Format, path: Path, source: Source, model_path: Path | None) -> None:
    if form is FORMATS["onnx"] and model_path is not None:
        # The certified file is the measured file, byte for byte.
        shutil.copyfile(model_path, path)
        return
    export_onnx(
        source.module,
        path,
        height=source.height,
        width=source.width,
        dynamic=form.dynamic,
        uint8_input=form.uint8_input,
        mean=source.normalisation.mean,
        std=source.normalisation.std,
        opset=source.opset,
    )


def _parity(name: str, path: Path, source: Source, infer: Infer) -> Parity:
    mean, std = source.normalisation.mean, source.normalisation.std
    parity = check_parity(source.module, path, infer, _inputs(FORMATS[name], source), mean=mean, std=std)
    if not parity.ok:
        raise UserError(
            f"parity of {path.name} ({name})",
            seen=f"largest difference {parity.max_abs}, mask IoU {parity.mask_iou:.4f}",
            expected=f"at most {parity.max_abs_tolerance:g} and at least {parity.mask_iou_tolerance:g}",
            remedy="the file is not of this network: export it again",
        )
    return parity


def _inputs(form: Format, source: Source) -> list[Array]:
    height, width, seed = source.height, source.width, source.seed
    pictures = [noise_picture(height, width, seed), smooth_picture(height, width, seed), *source.photographs]
    if form.dynamic:
        pictures.append(smooth_picture(2 * height, width, seed))
    if form.uint8_input:
        return [np.ascontiguousarray(picture[None]) for picture in pictures]
    return [normalise(picture, source.normalisation.mean, source.normalisation.std) for picture in pictures]
