"""Whether the model files of a bundle still answer as torch did, without torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np

from devices.device import Device
from export.bundle.check import Check
from export.bundle.manifest import BundleFile, Manifest
from export.bundle.parity_sample import ParitySample, read_sample
from export.bundle.preprocess import normalise
from export.mask_agreement import mean_iou
from export.tolerance import MASK_IOU_TOLERANCE, MAX_ABS_TOLERANCE
from foundation.errors import UserError

ONNX_FORMATS = ("onnx", "onnx-dynamic", "onnx-uint8")


def check_parities(
    folder: Path, manifest: Manifest, *, intact: Collection[str], runner: Callable[[BundleFile], Device]
) -> Iterator[Check]:
    """Runs the stored picture through every model file.

    Args:
        folder: the bundle.
        manifest: the bundle's.
        intact: paths whose content has its hash; a changed file is not run.
        runner: the device that runs a file. A further runtime that is not installed here is left out: the file that it
            reads has been run by ONNX Runtime.
    """
    models = [file for file in manifest.files if file.executed]
    try:
        sample = read_sample(folder)
    except UserError as error:
        yield Check("parity", False, str(error))
        return
    for file in models:
        if file.format not in ONNX_FORMATS and not runner(file).availability().available:
            continue
        name = f"parity of {file.path} ({file.format})"
        if file.path not in intact:
            yield Check(name, False, "not run: the file is missing or was changed")
            continue
        try:
            answer = _uint8_parity if file.format == "onnx-uint8" else _float_parity
            yield answer(name, folder / file.path, manifest, sample, runner(file))
        except UserError as error:
            yield Check(name, False, str(error))
    if not models:
        yield Check("parity", False, "the bundle holds no model file that was ever executed")


def _uint8_parity(name: str, path: Path, _: Manifest, sample: ParitySample, device: Device) -> Check:
    iou = mean_iou([np.argmax(sample.logits, axis=1)], [device.infer(path, {"image": sample.image})[0]])
    return Check(name, iou >= MASK_IOU_TOLERANCE, f"mask IoU {iou:.4f}")


def _float_parity(name: str, path: Path, manifest: Manifest, sample: ParitySample, device: Device) -> Check:
    norm = manifest.input.normalisation
    logits = device.infer(path, {"image": normalise(sample.image[0], norm.mean, norm.std)})[0]
    if logits.shape != sample.logits.shape:
        return Check(name, False, f"logits of shape {logits.shape}, not {sample.logits.shape}")
    difference = float(np.abs(logits.astype(np.float64) - sample.logits).max())
    iou = mean_iou([np.argmax(sample.logits, axis=1)], [np.argmax(logits, axis=1)])
    ok = difference <= MAX_ABS_TOLERANCE and iou >= MASK_IOU_TOLERANCE
    return Check(name, ok, f"largest difference {difference:.1e}, mask IoU {iou:.4f}")
