"""The contract of a target: a place where models are to run, whether or not it can be measured here.

There are three kinds. A ``Device`` is measured: its runtime runs on the hardware, and only its measurements certify. An
``EmulatedDevice`` runs real kernels on other hardware: its outputs count, its times mean nothing. A ``CompiledTarget``
is the vendor's compiler: it accepts a model and says on which unit each operator runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from devices.support import FileSupport, Verdict
from foundation.errors import DeviceUnavailableError, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from devices.device_info import DeviceInfo
    from foundation.plugin_options import PluginOptions


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a target can be used here; ``reason`` and ``remedy`` say why not and what to do."""

    available: bool
    reason: str = ""
    remedy: str = ""


class Target(ABC):
    """Something that accepts ONNX models or refuses them.

    The constructor takes the fields of ``Options`` as keyword arguments, each with a default, and loads no runtime.
    """

    name: str
    Options: ClassVar[type[PluginOptions]]
    """Options that a user may write after the name, as in ``cpu:threads=2``; a target without options names none."""

    def full_name(self, text: str) -> str:
        """The name by which the target is found from any folder; ``text`` is that by which it was found here."""
        return text

    @abstractmethod
    def availability(self) -> Availability:
        """Whether the target can be used on this machine. Never raises."""

    def require_available(self) -> None:
        """Raises ``DeviceUnavailableError`` where the target cannot be used."""
        status = self.availability()
        if not status.available:
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=status.reason, expected="a device that can be used", remedy=status.remedy
            )

    @abstractmethod
    def info(self) -> DeviceInfo:
        """Fingerprint and state of the target.

        Raises:
            DeviceUnavailableError: the target cannot be used here.
        """

    def emulated_by(self) -> str:
        """The program that emulates the processor of an available target; empty where none does."""
        return ""

    @abstractmethod
    def support(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> FileSupport:
        """Whether the target accepts a model that ``devices.model_file.check_model`` accepts; outputs where it runs it.

        Args:
            path: the ONNX file.
            inputs: an array for each of its inputs; they fix dynamic dimensions.

        Raises:
            DeviceUnavailableError: the target cannot be used here.
        """


class RunningTarget(Target):
    """A target that computes the outputs of a model."""

    format: ClassVar[str] = "onnx"
    """Format of the files that the runtime reads."""

    @abstractmethod
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """Runs the model once on this target's runtime; outputs in the model's order.

        For parity checks and for using a bundle, not for timing.

        Raises:
            DeviceUnavailableError: the target cannot be used here.
            UserError: a file is missing, is not an ONNX model, or holds an operator that the runtime does not support.
        """

    def convert(self, onnx: Path) -> Path:
        """The model as a file in the target's ``format``: the same file where that is ONNX.

        A target of another format overrides this and keeps what it converts in a ``ConversionCache``.

        Raises:
            UserError: the model cannot be converted; the reason is the converter's.
        """
        return onnx

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Files that the runtime reads together with a model in its ``format``; empty where there are none.

        A target of another format overrides this if its models have several files.

        Raises:
            UserError: the model cannot be read.
        """
        from devices.model_file import external_files

        return external_files(path) if self.format == "onnx" else ()

    def support(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> FileSupport:
        """The model is run once with ``infer``."""
        try:
            return FileSupport(Verdict.SUPPORTED, outputs=tuple(self.infer(path, inputs)))
        except DeviceUnavailableError:
            raise
        except UserError as error:
            return FileSupport(Verdict.UNSUPPORTED, str(error.seen))
