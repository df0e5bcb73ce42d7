"""The contract of an exporter: something that writes the network as a file of one format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from devices.device import Availability, Device
from devices.model_file import sha256_of
from export.bundle.manifest import BundleFile, InputKind, Precision
from export.source import Source
from foundation.errors import UserError
from foundation.plugin_options import PluginOptions

GetDevice = Callable[..., Device]
"""A function of ``devices.registry``, or what stands in for it."""


class Exporter(ABC):
    """Writes a network as a file of one format and says how that file is checked.

    A subclass sets the class variables and implements ``write``. Its constructor takes the fields of ``Options`` as
    keyword arguments, each with a default, and loads no converter. Every implementation passes
    ``latseg.testing.exporter_contract``.
    """

    format: ClassVar[str]
    """Name of the format, the same as in the registry."""
    file_name: ClassVar[str]
    """Name of the file in the bundle."""
    device: ClassVar[str] = "cpu"
    """Name of the device that runs the file; its ``infer`` reads files of this format."""
    parity_only: ClassVar[bool] = False
    """Whether the file is for other hardware and ``device`` only checks it: its entry has no time or memory."""
    input: ClassVar[InputKind] = "tensors"
    dynamic: ClassVar[bool] = False
    """Whether the file takes pictures of other heights and widths."""
    reads_onnx: ClassVar[bool] = True
    """Whether ``write`` makes the file of ``model.onnx`` alone, so that it can convert parts of it, too."""
    precision: ClassVar[Precision] = "float32"
    """A file of lower precision is compared by its masks, and kept only where it is faster than ``model.onnx``."""
    force: bool = False
    """Whether a file of lower precision is kept although it is not faster."""
    note: ClassVar[str] = ""
    """What a user of the file should know, in a few words."""
    packages: ClassVar[Sequence[str]] = ()
    """``NAME==VERSION`` (npm: ``NAME@VERSION``) of what an installation brings to write the file, for the manifest."""
    Options: ClassVar[type[PluginOptions]] = PluginOptions
    """Options that a user may write after the name, as in ``onnx:opset=18``."""

    def availability(self) -> Availability:
        """Whether the format can be written on this machine. Never raises; overridden where a converter is needed."""
        return Availability(True)

    @abstractmethod
    def write(self, source: Source, folder: Path) -> BundleFile:
        """Writes the file into ``folder`` and returns its entry of the manifest (see ``entry``).

        ``folder / "model.onnx"`` is already there, for all formats but ``onnx``: a converter reads that file, which is
        the one that was measured. Further files that are written into ``folder`` become part of the bundle. The entry
        says by which device and with which input the file is checked; its parity fields are filled in later.

        Raises:
            UserError: the network cannot be written in this format.
        """

    @contextmanager
    def converting(self) -> Iterator[None]:
        """In it the errors of a converter become those of the format.

        Raises:
            UserError: the converter raised one.
        """
        try:
            yield
        except UserError as error:
            raise UserError(
                f"export format {self.format}", seen=error.seen, expected=error.expected, remedy="export another format"
            ) from error

    def entry(self, folder: Path) -> BundleFile:
        """The manifest's entry of the file that was written into ``folder``."""
        path = folder / self.file_name
        return BundleFile(
            path=self.file_name,
            format=self.format,
            sha256=sha256_of(path),
            bytes=path.stat().st_size,
            device=self.device,
            parity_only=self.parity_only,
            input=self.input,
            dynamic=self.dynamic,
            precision=self.precision,
            note=self.note,
        )
