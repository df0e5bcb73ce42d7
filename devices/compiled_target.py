"""The contract of a compiled target: the vendor's compiler without the hardware."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from devices.emulated_device import EmulatedDevice
from devices.support import FileSupport, Verdict
from devices.target import Target
from foundation.errors import DeviceUnavailableError, UserError
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CompiledTarget(Target):
    """Says whether the compiler accepts a model; there is no ``measure``, hence no certificate."""

    unit: ClassVar[str]
    """The compute unit on which every operator is to run, such as ``npu``."""

    @abstractmethod
    def compile(self, path: Path, inputs: Mapping[str, NDArray[np.generic]], artifact: Path) -> tuple[str, ...]:
        """Compiles an ONNX model for inputs of these shapes and writes what the vendor's runtime loads.

        Args:
            path: the model.
            inputs: an array for each of its inputs; a compiler that quantises takes the ranges of numbers from these.
            artifact: the file to write.

        Returns:
            The compute unit of each node of the model, in its order; empty where the compiler does not name one.

        Raises:
            DeviceUnavailableError: the compiler is not here.
            UserError: the compiler refuses the model; ``seen`` is its reason.
        """

    @property
    def emulator(self) -> EmulatedDevice | None:
        """The vendor's emulator, which runs what was compiled; None where there is none."""
        return None

    def placed(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> FileSupport:
        """What the compiler says on the model; nothing is run.

        Where it names no compute unit at all, the model is supported and ``unit`` is empty: the device will choose.

        Raises:
            DeviceUnavailableError: the compiler is not here.
        """
        try:
            with TemporaryFolder() as folder:
                units = self.compile(path, inputs, folder.path / "artifact")
        except DeviceUnavailableError:
            raise
        except UserError as error:
            return FileSupport(Verdict.UNSUPPORTED, str(error.seen))
        others = [unit for unit in units if unit not in ("", self.unit)]
        if not others:
            return FileSupport(Verdict.SUPPORTED, units=units, unit=self.unit if any(units) else "")
        reason = f"{len(others)} of {len(units)} operators run on the {others[0]} and not on the {self.unit}"
        return FileSupport(Verdict.FALLS_BACK, reason, units=units, unit=self.unit)

    @override
    def support(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> FileSupport:
        """Compiles the model and runs it in the emulator."""
        answer = self.placed(path, inputs)
        if answer.verdict is Verdict.UNSUPPORTED or self.emulator is None:
            return answer
        try:
            return replace(answer, outputs=tuple(self.emulator.infer(path, inputs)))
        except DeviceUnavailableError:
            raise
        except UserError as error:
            return FileSupport(Verdict.UNSUPPORTED, str(error.seen))
