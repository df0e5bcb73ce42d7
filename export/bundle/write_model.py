"""One model file of a bundle: written, run by its device, and compared with the network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from devices.device import Device
from devices.target import RunningTarget
from export.bundle.manifest import BundleFile, SizeParity
from export.exporter import Exporter, GetDevice
from export.first_difference import first_difference
from export.parity import MASK_IOU_TOLERANCE, MAX_ABS_TOLERANCE, Example, Parity, check_parity, worst
from export.runner import runner_of
from export.source import Source
from foundation.errors import DeviceUnavailableError, UserError

_logger = logging.getLogger(__name__)


class ParityError(UserError):
    """A file computes something else than the network; ``seen`` is the ``Parity``."""


def write_model(
    exporter: Exporter, source: Source, folder: Path, examples: Sequence[Example], get_device: GetDevice
) -> BundleFile:
    """Writes one file into ``folder`` and checks it; where its device is missing, its note says so.

    Raises:
        UserError: the format cannot be written here.
        ParityError: the file computes something else.
    """
    file = _written(exporter, source, folder)
    device = _runner(file.device or "", get_device)
    if isinstance(device, str):
        _logger.warning("%s (%s) is not checked: %s", file.path, file.format, device)
        return file.model_copy(update={"note": f"{file.note}; not executed: {device}"})
    parities = []
    for group in _groups(file, source, examples):
        parities.append(_compared(folder, file, group, device))
        if not parities[-1].ok:
            wrong = next((one for one in group if not _compared(folder, file, [one], device).ok), group[0])
            raise _differs(
                file, wrong, parities[-1], first_difference(exporter, source, folder, file, wrong.inputs, get_device)
            )
    found = _checked_entry(file, examples, parities)
    if file.parity_only or not isinstance(device, Device):
        return found
    footprint = device.footprint(folder / file.path, examples[0].feeds(file.input))
    return found if footprint is None else found.model_copy(update=asdict(footprint))


def _runner(name: str, get_device: GetDevice) -> RunningTarget | str:
    """What runs files for this device, or why nothing does here."""
    try:
        device = runner_of(name, get_device)
    except DeviceUnavailableError as error:
        return str(error.seen)
    status = device.availability()
    return device if status.available else status.reason


def _checked_entry(file: BundleFile, examples: Sequence[Example], parities: Sequence[Parity]) -> BundleFile:
    parity = worst(parities)
    _logger.info("%s (%s) on %s, %d examples: %s", file.path, file.format, file.device, len(examples), parity)
    by_size = _by_size(examples, parities) if file.dynamic else ()
    return file.model_copy(
        update={
            "executed": True,
            "parity_max_abs": parity.max_abs,
            "parity_mask_iou": parity.mask_iou,
            "parity_by_size": by_size,
        }
    )


def _written(exporter: Exporter, source: Source, folder: Path) -> BundleFile:
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
    return file


def _groups(file: BundleFile, source: Source, examples: Sequence[Example]) -> list[list[Example]]:
    """The examples that are compared together: those of one size; of a file of lower precision each, without noise."""
    if source.pictures is None:
        return [list(examples)]
    if file.dynamic:
        return [[one for one in examples if one.size == size] for size in _sizes(examples)]
    own = [example for example in examples if example.size == source.size]
    return [own] if file.exact else [[example] for example in own if example.natural]


def _sizes(examples: Sequence[Example]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(example.size for example in examples))


def _by_size(examples: Sequence[Example], parities: Sequence[Parity]) -> tuple[SizeParity, ...]:
    return tuple(
        SizeParity(height=height, width=width, max_abs=parity.max_abs, mask_iou=parity.mask_iou)
        for (height, width), parity in zip(_sizes(examples), parities, strict=True)
    )


def _compared(folder: Path, file: BundleFile, examples: Sequence[Example], device: RunningTarget) -> Parity:
    return check_parity(folder / file.path, examples, device.infer, file.input, exact=file.exact)


def _differs(file: BundleFile, example: Example, parity: Parity, where: str) -> ParityError:
    masks = f"masks that agree to at least {MASK_IOU_TOLERANCE:g}"
    size = f" at {example.size[0]} x {example.size[1]}" if file.dynamic else ""
    if where:
        remedy = f"{where}: replace it, or export another format"
    elif file.exact:
        remedy = "the file is not of this network: export it again"
    else:
        remedy = f"the network needs more precision than {file.precision}: leave the format out"
    return ParityError(
        f"parity of {file.path} ({file.format}){size}",
        seen=parity,
        expected=f"a difference of at most {MAX_ABS_TOLERANCE:g} and {masks}" if file.exact else masks,
        remedy=remedy,
    )
