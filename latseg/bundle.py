"""A bundle: the folder that is deployed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from foundation.errors import DeviceUnavailableError, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from devices.device import Device
    from export.bundle.check import Check, VerifyResult
    from export.bundle.manifest import Manifest, ResizePolicy
    from export.bundle.segment import Edges, Segmenter, SegmentOutput
    from export.bundle.video import VideoOutput

_logger = logging.getLogger(__name__)
_Output = TypeVar("_Output")


class Bundle:
    """Model files, a manifest with the latency certificate, and a script that runs them.

    >>> bundle.manifest.parameters > 0
    True

    Args:
        path: the folder that ``export`` wrote.
        workspace: where this machine was measured before; ``verify`` takes the machine's speed from there. Without
            one it is measured anew.
    """

    def __init__(self, path: str | Path, *, workspace: str | Path | None = None) -> None:
        self.path = Path(path)
        self.workspace = None if workspace is None else Path(workspace)

    @cached_property
    def manifest(self) -> Manifest:
        """The content of ``manifest.json``.

        Raises:
            UserError: not a bundle.
        """
        from export.bundle.manifest import read_manifest

        return read_manifest(self.path)

    @property
    def certified(self) -> bool:
        """Whether measurements prove every latency budget."""
        return not self.manifest.refusals

    @property
    def refusals(self) -> tuple[str, ...]:
        """For each budget that is not certified, the reason."""
        return tuple(self.manifest.refusals)

    def verify(
        self,
        *,
        device: str | None = None,
        threads: int | None = None,
        measure: bool = True,
        seed: int = 0,
        signer: str | None = None,
        wait_s: float = 0.0,
        on_check: Callable[[Check], None] | None = None,
    ) -> VerifyResult:
        """Checks hashes, parity and budgets again; ``ok`` of the result says whether all checks hold.

        >>> bundle.verify(measure=False).ok
        False

        Args:
            device: run and measure on this device; by default on those of the certificates.
            threads: of this device; by default as certified.
            measure: measure the budgets again.
            seed: of the measurement.
            signer: who must have signed it, ``IDENTITY/FILE`` with the file of allowed signers (ssh-keygen(1)).
            wait_s: seconds to wait at most, before a measurement, for other programs to leave the machine.
            on_check: called with each check as it is done.

        Raises:
            UserError: not a bundle; threads without a device; no such file of signers, or no ssh-keygen.
            DeviceUnavailableError: the device cannot be used here.
        """
        from export.bundle.signature import Signer
        from export.bundle.verify import verify_bundle
        from latseg.architecture_check import architecture_faults

        if threads is not None and device is None:
            raise UserError(
                "--threads", seen=f"{threads} without --device", expected="a device to use them",
                remedy="name the device, too: --device cpu",
            )  # fmt: skip
        target = None if device is None else self._device(device, threads)
        return verify_bundle(
            self.path,
            device=target,
            measure=measure,
            seed=seed,
            wait_s=wait_s,
            signer=None if signer is None else Signer.parse(signer),
            known_reference=self._known_reference,
            check_architecture=architecture_faults,
            on_check=on_check,
        )

    def segment(
        self, image: str | Path, *, policy: str | None = None, file_format: str = "onnx", edges: str = "guided"
    ) -> NDArray[np.uint8]:
        """The mask of an image file: height x width class numbers, of the image's own size.

        >>> mask = bundle.segment(photo)
        >>> mask.shape
        (40, 30)

        Args:
            image: of any size and shape.
            policy: ``letterbox`` keeps the proportions, ``resize`` does not; by default the bundle's own.
            file_format: which of the bundle's files to run, on its device.
            edges: ``guided`` lets the mask follow the edges of the image (guided filter), ``bilinear`` does not.

        Raises:
            UserError: not a bundle, or not an image.
        """
        from foundation.picture import PictureError, read_picture

        try:
            picture = read_picture(Path(image))
        except PictureError as error:
            raise UserError("image", seen=str(error), expected="an image file", remedy="check the file") from error
        return self._segmenter(policy, file_format, edges).segment(picture).labels

    def write_masks(
        self,
        images: Iterable[str | Path],
        folder: str | Path,
        *,
        policy: str | None = None,
        file_format: str = "onnx",
        edges: str = "guided",
        on_error: Callable[[Path, UserError], None] | None = None,
    ) -> Iterator[SegmentOutput]:
        """Writes ``NAME_mask.png``, ``NAME_cutout.png`` and ``NAME_overlay.png`` for each image, when it is reached.

        Args:
            images: of any size and shape; a folder stands for all pictures in it.
            folder: for the results.
            policy: as in ``segment``.
            file_format: as in ``segment``.
            edges: as in ``segment``.
            on_error: called with an image that cannot be read, or on which the model fails, and the error; the other
                images are still done. By default the error is raised.

        Raises:
            UserError: not a bundle, a changed one, not an image, a folder without pictures, or the folder for the
                results cannot be written.
        """
        from latseg.picture_paths import picture_paths

        segmenter = self._segmenter(policy, file_format, edges)
        files = picture_paths(images, Path(folder)).files
        yield from _each(files, lambda image: segmenter.segment_file(image, Path(folder)), on_error)

    def segment_video(
        self,
        video: str | Path,
        folder: str | Path,
        *,
        smoothing: bool = True,
        policy: str | None = None,
        file_format: str = "onnx",
        edges: str = "guided",
        on_frame: Callable[[SegmentOutput], None] | None = None,
    ) -> VideoOutput:
        """As ``write_masks``, for each frame of a video; measures how much the masks flicker.

        Args:
            video: a folder of pictures, which are taken in the order of their names; an animated GIF, WebP or PNG; or,
                where OpenCV is installed, a video file.
            folder: for the results.
            smoothing: average the masks over time where the picture stays.
            policy: as in ``segment``.
            file_format: as in ``segment``.
            edges: as in ``segment``.
            on_frame: called after each frame.

        Raises:
            UserError: not a bundle, a changed one, frames that cannot be read, or the folder cannot be written.
        """
        outputs = self.segment_videos(
            [video], folder, smoothing=smoothing, policy=policy, file_format=file_format, edges=edges, on_frame=on_frame
        )
        return next(outputs)

    def segment_videos(
        self,
        videos: Iterable[str | Path],
        folder: str | Path,
        *,
        smoothing: bool = True,
        policy: str | None = None,
        file_format: str = "onnx",
        edges: str = "guided",
        on_frame: Callable[[SegmentOutput], None] | None = None,
        on_error: Callable[[Path, UserError], None] | None = None,
    ) -> Iterator[VideoOutput]:
        """As ``segment_video``, for each video when it is reached.

        Where frames of several videos have one name, the later results get a number (``NAME_2_mask.png``).

        Args:
            videos: as in ``segment_video``.
            folder: for the results of all.
            smoothing: as in ``segment_video``.
            policy: as in ``segment``.
            file_format: as in ``segment``.
            edges: as in ``segment``.
            on_frame: called after each frame.
            on_error: called with a video that cannot be read, or on which the model fails, and the error; the other
                videos are still done. By default the error is raised.

        Raises:
            UserError: as ``segment_video``.
        """
        from export.bundle.video import segment_video

        segmenter, out = self._segmenter(policy, file_format, edges), Path(folder)
        yield from _each(
            map(Path, videos),
            lambda video: segment_video(segmenter, video, out, smoothing=smoothing, on_frame=on_frame),
            on_error,
        )

    def _known_reference(self, device: Device) -> float | None:
        if self.workspace is None:
            return None
        from latseg.workspace_folder import WorkspaceFolder

        try:
            return WorkspaceFolder(self.workspace).reference_ms(device)
        except DeviceUnavailableError:
            raise
        except UserError as error:  # the bundle is not at fault: the time is measured anew
            _logger.warning("the stored time of the reference net cannot be read: %s", error)
            return None

    def _device(self, text: str, threads: int | None) -> Device:
        from devices.registry import get_device

        return get_device(text, threads=threads or self.certified_threads(text))

    def certified_threads(self, device: str) -> int:
        """Threads of the certificate for the device; one where there is none."""
        from export.bundle.manifest import ManifestError

        try:
            certificates = self.manifest.certificates
        except ManifestError:
            return 1
        return next((one.device.threads for one in certificates if one.device.name == device), 1)

    def _segmenter(self, policy: str | None, file_format: str, edges: str) -> Segmenter:
        from export.bundle.segment import Segmenter

        _check_option("--policy", policy, ("letterbox", "resize"))
        _check_option("--edges", edges, ("guided", "bilinear"))
        return Segmenter(
            self.path,
            policy=cast("ResizePolicy | None", policy),
            file_format=file_format,
            edges=cast("Edges", edges),
        )


def _each(
    paths: Iterable[Path], work: Callable[[Path], _Output], on_error: Callable[[Path, UserError], None] | None
) -> Iterator[_Output]:
    """What ``work`` returns for each path; errors that would stop every further path are raised."""
    from export.bundle.segment import OutputError

    for path in paths:
        try:
            output = work(path)
        except UserError as error:
            if on_error is None or isinstance(error, (OutputError, DeviceUnavailableError)):
                raise
            on_error(path, error)
            continue
        yield output


def _check_option(option: str, value: str | None, choices: tuple[str, str]) -> None:
    if value is not None and value not in choices:
        raise UserError(
            option, seen=repr(value), expected=" or ".join(choices),
            remedy=f"write {option} {choices[0]} or {option} {choices[1]}",
        )  # fmt: skip
