"""Runs a bundle on picture files."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from devices.device import Device
from devices.registry import get_device
from export.bundle.manifest import InputLayout, Manifest, ResizePolicy, read_manifest
from export.bundle.preprocess import (
    Floats,
    Segmentation,
    cut_out,
    fit,
    mask_image,
    normalise,
    place,
    spread,
)
from export.exporter import GetDevice
from foundation.atomic_file import write_file
from foundation.errors import DeviceUnavailableError, UserError
from foundation.picture import Picture, PictureError, read_picture


@dataclass(frozen=True, slots=True)
class SegmentOutput:
    """What was written for a picture of ``height`` x ``width``; ``foreground_share`` is the share of its pixels."""

    image: Path
    mask: Path
    cutout: Path
    height: int
    width: int
    foreground_share: float


Run = Callable[[Floats], Floats]
"""Runs the network: float32 1 x 3 x height x width to logits."""


class Segmenter:
    """A bundle made ready once for many pictures.

    Args:
        bundle: the folder.
        policy: ``letterbox`` or ``resize``; the bundle's own if None.
        device: runs the network; if None, the device of the file: for ``onnx``, ONNX Runtime on this machine's
            processor with all its threads.
        file_format: which of the bundle's files to run.
        get_device: returns the device of a name.

    Raises:
        UserError: not a bundle of a segmentation network, no such file in it, or its model cannot be loaded.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        policy: ResizePolicy | None = None,
        device: Device | None = None,
        file_format: str = "onnx",
        get_device: GetDevice = get_device,
    ) -> None:
        self.manifest: Manifest = read_manifest(bundle)
        self.layout: InputLayout = _picture_layout(bundle, self.manifest)
        self.policy: ResizePolicy = _checked(policy or self.layout.resize_policy)
        file = self.manifest.file(file_format)
        if file.device is None or file.input != "tensors":
            raise UserError(
                "format of the bundle", seen=file_format, expected="a model that returns logits", remedy="use onnx"
            )
        if device is None and file.device != "cpu":
            device = get_device(file.device)
        model = bundle / file.path
        self._run: Run = _on_device(device, model) if device else _on_runtime(model)
        self._written: set[Path] = set()

    def segment(self, picture: Picture) -> Segmentation:
        """Class numbers and foreground probability, each of the picture's own size."""
        layout = self.layout
        height, width, _ = picture.rgb.shape
        mean, std = layout.normalisation.mean, layout.normalisation.std
        placement = place(height, width, layout.height, layout.width, self.policy)
        image = normalise(fit(picture.rgb, placement, layout.height, layout.width, mean), mean, std)
        return spread(self._run(image), placement, height, width)

    def segment_file(self, image_path: Path, out_dir: Path) -> SegmentOutput:
        """Writes ``NAME_mask.png`` (0 and 255 for two classes, else class numbers) and ``NAME_cutout.png``.

        Pictures of one name but different endings get the ending into the result's name.

        Raises:
            UserError: no picture, a broken one, or ``out_dir`` cannot be written.
        """
        try:
            picture = read_picture(image_path)
        except PictureError as error:
            raise UserError(
                "picture", seen=f"{error.path}: {error.reason}", expected="a picture file", remedy="check the file"
            ) from error
        result = self.segment(picture)
        mask, cutout = self._names(image_path, out_dir)
        _save(mask_image(result.labels, len(self.manifest.classes)), mask)
        _save(cut_out(picture, result.foreground), cutout)
        height, width = result.labels.shape
        return SegmentOutput(image_path, mask, cutout, height, width, float(np.mean(result.labels > 0)))

    def _names(self, image_path: Path, out_dir: Path) -> tuple[Path, Path]:
        stem, number = image_path.stem, 1
        while out_dir / f"{stem}_mask.png" in self._written:
            number += 1
            stem = f"{image_path.stem}_{number}"
        mask, cutout = out_dir / f"{stem}_mask.png", out_dir / f"{stem}_cutout.png"
        self._written.add(mask)
        return mask, cutout


def _picture_layout(bundle: Path, manifest: Manifest) -> InputLayout:
    if manifest.input is None:
        names = ", ".join(layout.name for layout in manifest.inputs)
        raise UserError(
            f"bundle {bundle}",
            seen=f"a network with the inputs {names}",
            expected="a segmentation network",
            remedy="run its model files with their runtime",
        )
    return manifest.input


def _checked(policy: str) -> ResizePolicy:
    if policy == "letterbox":
        return "letterbox"
    if policy == "resize":
        return "resize"
    raise UserError("resize policy", seen=policy, expected="letterbox or resize", remedy="choose one of them")


def _on_device(device: Device, model: Path) -> Run:
    def run(image: Floats) -> Floats:
        return np.asarray(device.infer(model, {"image": image})[0], np.float32)

    return run


def _on_runtime(model: Path) -> Run:
    try:
        import onnxruntime
    except ImportError as error:
        raise DeviceUnavailableError(
            "ONNX Runtime", seen="not installed", expected="onnxruntime", remedy="pip install onnxruntime"
        ) from error
    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own classes share no other base
        raise UserError(
            "model of the bundle", seen=f"{model} ({error})", expected="the file that export wrote", remedy="run verify"
        ) from error

    def run(image: Floats) -> Floats:
        return np.asarray(session.run(None, {"image": image})[0], np.float32)

    return run


def _save(image: Image.Image, path: Path) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    try:
        write_file(path, buffer.getvalue())
    except OSError as error:
        raise UserError(
            "output folder",
            seen=f"{path.parent} ({error.strerror or error})",
            expected="a folder that can be written",
            remedy="free space or name another folder",
        ) from error
