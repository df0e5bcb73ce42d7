"""One model file of a bundle: written, run by its device, and compared with the network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from devices.device import Device
from export.bundle.manifest import BundleFile
from export.exporter import Exporter, GetDevice
from export.first_difference import first_difference
from export.parity import MASK_IOU_TOLERANCE, MAX_ABS_TOLERANCE, Example, Parity, check_parity
from export.source import Source
from foundation.errors import UserError

_logger = logging.getLogger(__name__)


class ParityError(UserError):
    """A file computes something else than the network; ``seen`` is the ``Parity``."""


def write_model(
    exporter: Exporter, source: Source, folder: Path, examples: Sequence[Example], get_device: GetDevice
) -> BundleFile:
    """Writes one file into ``folder`` and checks it; where its device is missing, its note says so.

    Raises:
        UserError: the format cannot be written here, or the file computes something else.
    """
    usable = exporter.availability()
    if not usable.available:
        raise UserError(
            f"export format {exporter.format}",
            seen=usable.reason,
            expected="a format that can be written here",
            remedy=usable.remedy or "export another format",
        )
    file = exporter.write(source, folder)
    assert file.device is not None, "an exporter's entry says by which device the file is checked"
    device = get_device(file.device)
    runnable = device.availability()
    if not runnable.available:
        _logger.warning("%s (%s) is not checked: %s", file.path, file.format, runnable.reason)
        return file.model_copy(update={"note": f"{file.note}; not executed: {runnable.reason}"})
    if not file.dynamic and source.pictures is not None:  # the taller picture is for dynamic files
        examples = [example for example in examples if example.outputs[0].shape[2:] == source.size]
    parity = _parity(folder, file, examples, device)
    _logger.info("%s (%s) on %s, %d examples: %s", file.path, file.format, file.device, len(examples), parity)
    if not parity.ok:
        wrong = next((one for one in examples if not _compared(folder, file, [one], device).ok), examples[0])
        raise _differs(file, parity, first_difference(exporter, source, folder, file, wrong.inputs, get_device))
    footprint = device.footprint(folder / file.path, examples[0].feeds(file.input))
    found = {"executed": True, "parity_max_abs": parity.max_abs, "parity_mask_iou": parity.mask_iou}
    return file.model_copy(update=found if footprint is None else found | asdict(footprint))


def _parity(folder: Path, file: BundleFile, examples: Sequence[Example], device: Device) -> Parity:
    """Of all examples; of a file of lower precision that of the worst picture, noise left out."""
    if file.exact:
        return _compared(folder, file, examples, device)
    each = [_compared(folder, file, [example], device) for example in examples if example.natural]
    return min(each, key=lambda one: one.mask_iou or 0.0)


def _compared(folder: Path, file: BundleFile, examples: Sequence[Example], device: Device) -> Parity:
    return check_parity(folder / file.path, examples, device.infer, file.input, exact=file.exact)


def _differs(file: BundleFile, parity: Parity, where: str) -> ParityError:
    own = f"{where}: replace it, or export another format"
    return ParityError(
        f"parity of {file.path} ({file.format})",
        seen=parity,
        expected=f"at most {MAX_ABS_TOLERANCE:g} and at least {MASK_IOU_TOLERANCE:g}",
        remedy=own if where else "the file is not of this network: export it again",
    )
