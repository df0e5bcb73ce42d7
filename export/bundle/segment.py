"""Runs a bundle on picture files."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from devices.device import Device
from devices.hardware import core_count
from devices.registry import get_device_here
from devices.target import RunningTarget
from export.bundle.bundle_files import changed, strangers
from export.bundle.enlarge import Floats
from export.bundle.manifest import NAME_BYTES, BundleFile, InputLayout, Manifest, ResizePolicy, read_manifest
from export.bundle.preprocess import (
    Placement,
    Segmentation,
    cut_out,
    fit,
    mask_image,
    normalise,
    place,
    spread,
    spread_along_edges,
)
from export.bundle.smoothing import Smoother
from export.exporter import GetDevice
from export.runner import runner_of
from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.overlay import overlay
from foundation.picture import Picture, PictureError, Pixels, read_picture

Edges = Literal["guided", "bilinear"]
"""How masks are enlarged: along the edges of the picture, or without a look at it."""
_TEMPORARY_BYTES = 34


@dataclass(frozen=True, slots=True)
class SegmentOutput:
    """What was written for a picture of ``height`` x ``width``; ``foreground_share`` is the share of its pixels."""

    image: Path
    mask: Path
    cutout: Path
    overlay: Path
    height: int
    width: int
    foreground_share: float


class OutputError(UserError):
    """Results cannot be written: every further picture would fail the same way."""


class Segmenter:
    """A bundle made ready once for many pictures.

    Args:
        bundle: the folder.
        policy: ``letterbox`` or ``resize``; the bundle's own if None.
        device: runs the network; if None, the device of the file, on the processor with all its cores. The runtime is
            in a process of its own: where it crashes, that picture has no result and the next one gets a new process.
        file_format: which of the bundle's files to run.
        edges: ``guided`` follows the edges of the picture, ``bilinear`` does not.
        get_device: returns the device of a name in the bundle; never one of another machine.

    Raises:
        UserError: not a bundle of a segmentation network, no such file in it, or one that was changed.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        policy: ResizePolicy | None = None,
        device: Device | None = None,
        file_format: str = "onnx",
        edges: Edges = "guided",
        get_device: GetDevice = get_device_here,
    ) -> None:
        self.manifest: Manifest = read_manifest(bundle)
        self.layout: InputLayout = _picture_layout(bundle, self.manifest)
        self.policy: ResizePolicy = policy or self.layout.resize_policy
        self.edges = edges
        _check_choice("resize policy", self.policy, get_args(ResizePolicy))
        _check_choice("edges", edges, get_args(Edges))
        file = self.manifest.file(file_format)
        if file.device is None or file.input != "tensors":
            raise UserError(
                "format of the bundle", seen=file_format, expected="a model that returns logits", remedy="use onnx"
            )
        _check_files(bundle, self.manifest, file)
        self._device = device or _own_device(file.device, get_device)
        self._model = bundle / file.path
        self._written: set[Path] = set()

    def segment(self, picture: Picture) -> Segmentation:
        """Class numbers and foreground probability, each of the picture's own size.

        Raises:
            UserError: the runtime refuses the model or crashes, or the model returns no logits.
        """
        pixels, placement = self._placed(picture)
        return self._enlarged(self._logits(pixels), placement, picture)

    def segment_frame(self, picture: Picture, smoother: Smoother) -> Segmentation:
        """As ``segment``, for the next frame of the video that ``smoother`` follows."""
        pixels, placement = self._placed(picture)
        return self._enlarged(smoother.smoothed(pixels, self._logits(pixels), placement), placement, picture)

    def _placed(self, picture: Picture) -> tuple[Pixels, Placement]:
        layout, (height, width, _) = self.layout, picture.rgb.shape
        placement = place(height, width, layout.height, layout.width, self.policy)
        return fit(picture.rgb, placement, layout.height, layout.width, layout.normalisation.mean), placement

    def _logits(self, pixels: Pixels) -> Floats:
        layout = self.layout
        image = normalise(pixels, layout.normalisation.mean, layout.normalisation.std)
        logits = self._device.infer(self._model, {layout.name: image})[0]
        return _checked_logits(logits, layout, len(self.manifest.classes))

    def _enlarged(self, logits: Floats, placement: Placement, picture: Picture) -> Segmentation:
        if self.edges == "guided":
            return spread_along_edges(logits, placement, picture.rgb)
        return spread(logits, placement, *picture.rgb.shape[:2])

    def segment_file(self, image_path: Path, out_dir: Path) -> SegmentOutput:
        """Writes ``NAME_mask.png`` (0 and 255 for two classes, else class numbers), ``NAME_cutout.png`` (with opacity)
        and ``NAME_overlay.png`` (the picture with the mask's colours and contours).

        Pictures of one name but different endings get the ending into the result's name.

        Raises:
            UserError: no picture, a broken one, one on which the model fails, or ``out_dir`` cannot be written.
        """
        try:
            picture = read_picture(image_path)
        except PictureError as error:
            raise UserError(
                "picture", seen=f"{error.path}: {error.reason}", expected="a picture file", remedy="check the file"
            ) from error
        return self.write(image_path, picture, self.segment(picture), out_dir, stem=image_path.stem)

    def write(
        self, image_path: Path, picture: Picture, result: Segmentation, out_dir: Path, *, stem: str
    ) -> SegmentOutput:
        """Writes the results of a picture that has, or may have, the path ``image_path``.

        Their names begin with ``stem``, and a number where this segmenter has already written results of that name.

        Raises:
            UserError: ``out_dir`` cannot be written.
        """
        mask, cutout, laid_over = self._names(stem, out_dir)
        _save(mask_image(result.labels, len(self.manifest.classes)), mask)
        _save(cut_out(picture, result.foreground), cutout)
        _save(Image.fromarray(overlay(picture.rgb, result.labels)), laid_over)
        height, width = result.labels.shape
        return SegmentOutput(image_path, mask, cutout, laid_over, height, width, float(np.mean(result.labels > 0)))

    def _names(self, stem: str, out_dir: Path) -> tuple[Path, Path, Path]:
        name, number = stem, 1
        while out_dir / f"{name}_mask.png" in self._written:
            number += 1
            name = f"{stem}_{number}"
        mask, cutout, laid_over = (out_dir / f"{name}_{kind}.png" for kind in ("mask", "cutout", "overlay"))
        _check_name(laid_over)
        self._written.add(mask)
        return mask, cutout, laid_over


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


def _check_choice(what: str, seen: str, choices: tuple[str, ...]) -> None:
    if seen not in choices:
        raise UserError(what, seen=seen, expected=" or ".join(choices), remedy="choose one of them")


def _check_files(bundle: Path, manifest: Manifest, model: BundleFile) -> None:
    """The model, and the parts of models beside it, are the very files that the manifest means."""
    faults = {file.path: changed(bundle, file) for file in manifest.files if file is model or file.format == "data"}
    unlisted = strangers(bundle, model.path, [file.path for file in manifest.files])
    for path, fault in [*faults.items(), *((path, "not in the manifest") for path in unlisted)]:
        if fault:
            raise UserError(
                "model of the bundle",
                seen=f"{path} ({fault})",
                expected="the file that export wrote",
                remedy="run `latseg verify`, and get the bundle again from where it was made",
            )


def _own_device(name: str, get_device: GetDevice) -> RunningTarget:
    return get_device(name, threads=core_count()) if name == "cpu" else runner_of(name, get_device)


def _checked_logits(logits: NDArray[np.generic], layout: InputLayout, classes: int) -> Floats:
    expected = (1, classes, layout.height, layout.width)
    if logits.shape != expected or not np.issubdtype(logits.dtype, np.floating):
        raise UserError(
            "model of the bundle",
            seen=f"{logits.dtype} of shape {logits.shape}",
            expected=f"logits of shape {expected}",
            remedy="run `latseg verify`",
        )
    return np.asarray(logits, np.float32)


def _check_name(path: Path) -> None:
    """The file is first written under a longer name, a dot and 33 characters more (``foundation.atomic_file``)."""
    length = len(os.fsencode(path.name))
    if length > NAME_BYTES - _TEMPORARY_BYTES:
        raise UserError(
            "name of the result",
            seen=f"{path.name[:40]}… with {length} bytes",
            expected=f"at most {NAME_BYTES - _TEMPORARY_BYTES} bytes",
            remedy="rename the picture",
        )


def _save(image: Image.Image, path: Path) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    try:
        write_file(path, buffer.getvalue())
    except OSError as error:
        raise OutputError(
            "output folder",
            seen=f"{path.parent} ({error.strerror or error})",
            expected="a folder that can be written",
            remedy="free space or name another folder",
        ) from error
